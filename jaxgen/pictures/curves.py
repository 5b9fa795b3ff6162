"""Pictures of what depends on a count or on time: figures of matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from jaxgen.array_checks import of_shape
from jaxgen.pictures.figure import INK, plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def against_count(
    counts: Sequence[int],
    curves: Mapping[str, ArrayLike],
    *,
    theory: Mapping[str, ArrayLike] | None = None,
    level: tuple[str, float] | None = None,
    yscale: Literal["linear", "log"] = "linear",
    xlabel: str,
    ylabel: str,
    title: str,
) -> Figure:
    """Returns the curves against a count, on a logarithmic scale, beside a level they should meet.

    Args:
      counts: where the curves were measured.
      curves: by name, one value per count.
      theory: by the name of a curve, what it should be: dashed, in the curve's color.
      level: its name and value.
      yscale: of the values.
    Raises:
      ValueError: a curve has not one value per count.
    Example:
      >>> against_count(
      ...     [1, 8, 64],
      ...     {"IWAE": [-75.2, -72.8, -71.6]},
      ...     level=("log p(x)", -71.3),
      ...     xlabel="particles",
      ...     ylabel="bound (nats)",
      ...     title="Bounds",
      ... )
    """
    figure, axes = plot(title, xlabel, ylabel)
    for name, values in curves.items():
        of_shape(f"curves[{name!r}]", values, (len(counts),))
        (line,) = axes.plot(counts, np.asarray(values), marker="o", ms=4, lw=1.8, label=name)
        if theory and name in theory:
            axes.plot(counts, np.asarray(theory[name]), color=line.get_color(), lw=1.2, ls="--")
    if level is not None:
        axes.axhline(level[1], color=INK, lw=1.2, ls="--", label=level[0])
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_yscale(yscale)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    return figure


def against_steps(
    curves: Mapping[str, ArrayLike],
    *,
    level: tuple[str, float] | None = None,
    xlabel: str = "steps",
    ylabel: str,
    title: str,
) -> Figure:
    """Returns noisy values along an optimization after 1, 2, 4, ... steps, on a logarithmic scale.

    A point is the mean over the last half of the steps up to it.

    Args:
      curves: by name, one value per step, as many in each.
      level: its name and value, that the curves should meet.
      xlabel: what is counted.
    Example:
      >>> values = -19.1 - 10.0 / np.arange(1, 65)  # the ELBO at each of 64 steps
      >>> against_steps(
      ...     {"SVI": values}, level=("log p(x)", -19.1), ylabel="ELBO (nats)", title="One image"
      ... )
    """
    values = {name: np.asarray(of, float) for name, of in curves.items()}
    counts = [2**i for i in range(len(next(iter(values.values()))).bit_length())]
    return against_count(
        counts,
        {name: [of[count // 2 : count].mean() for count in counts] for name, of in values.items()},
        level=level,
        xlabel=f"{xlabel} (mean over their last half)",
        ylabel=ylabel,
        title=title,
    )


def band_in_time(
    mean: ArrayLike,
    scale: ArrayLike,
    *,
    curves: Mapping[str, ArrayLike] | None = None,
    dots: Mapping[str, ArrayLike] | None = None,
    ylabel: str,
    title: str,
) -> Figure:
    """Returns mean ± 2 scale in time, with curves and dots of the same length on top.

    Raises:
      ValueError: mean and scale are not two vectors of one length.
    Example:
      >>> z = np.sin(np.arange(50) / 8)
      >>> band_in_time(
      ...     z,
      ...     np.full(50, 0.2),
      ...     curves={"truth": z},
      ...     dots={"x": z + 0.1},
      ...     ylabel="z",
      ...     title="Filtered",
      ... )
    """
    mean, scale = np.asarray(mean, float), np.asarray(scale, float)
    of_shape("mean", mean, (mean.size,))
    of_shape("scale", scale, mean.shape)
    steps = np.arange(1, len(mean) + 1)
    figure, axes = plot(title, "step", ylabel)
    axes.fill_between(steps, mean - 2 * scale, mean + 2 * scale, alpha=0.25, lw=0)
    axes.plot(steps, mean, lw=1.8, label="filtered mean ± 2 standard deviations")
    for name, values in (curves or {}).items():
        axes.plot(steps, np.asarray(values), color=INK, lw=1.2, label=name)
    for name, values in (dots or {}).items():
        axes.plot(steps, np.asarray(values), ".", color=INK, ms=4, alpha=0.6, label=name)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=8)
    return figure

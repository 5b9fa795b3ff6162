"""The same curves in several panels: at moments of a training, or of several trainings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jaxgen.array_checks import of_shape
from jaxgen.pictures.figure import INK, legend_below, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curve_panels(
    x: ArrayLike,
    curves: Mapping[str, Mapping[str, ArrayLike]],
    *,
    columns: int,
    styles: Mapping[str, Mapping[str, Any]] | None = None,
    areas: Collection[str] = (),
    size: tuple[float, float] = (3.0, 2.6),
    xlabel: str,
    ylabel: str,
    xlim: tuple[float, float] | None = None,
    ylim: tuple[float, float] | None = None,
    settled: float = 1.0,
) -> Figure:
    """Returns a panel per entry of `curves`, on one horizontal scale, with one legend below all.

    Args:
      x: where the curves are known.
      curves: panels by their titles; in each, curves by their names in the legend, the same in all.
        A curve is a value per x, with gaps where it is NaN, or one number: a level.
      columns: panels in a row.
      styles: of curves by their names: keywords of matplotlib's `plot`.
      areas: names of curves that are drawn as the gray area below them.
      size: width and height of each panel in inches.
      xlabel, ylabel: at the figure's lower and left edge.
      xlim: ends of the horizontal axis; those of `x` if not given.
      ylim: ends of the vertical axis of all panels; to each its own if not given.
      settled: the share of `x`, from its end, that such an axis of its own must show; what comes
        before may leave the picture.
    Raises:
      ValueError: there are no panels; their curves have other names than the first panel's; a
        curve has not one value per x.
    Example:
      >>> x = np.linspace(-3, 3, 50)
      >>> p, q = np.exp(-(x**2)), np.exp(-((x - 1) ** 2))
      >>> curve_panels(
      ...     x,
      ...     {"step 0": {"data": p, "model": q}, "step 900": {"data": p, "model": p}},
      ...     columns=2,
      ...     xlabel="x",
      ...     ylabel="density",
      ... )
    """
    x = np.asarray(x, float)
    of_shape("x", x, (x.size,))
    figure, places = panels([*curves], columns=columns, size=size, sharex=True, sharey=bool(ylim))
    names = list(next(iter(curves.values())))
    for axes, (title, of_panel) in zip(places, curves.items(), strict=True):
        if list(of_panel) != names:
            raise ValueError(f"curves: got {list(of_panel)} in {title!r}, expected {names}")
        late: list[float] = []
        for i, (name, values) in enumerate(of_panel.items()):
            if np.ndim(values):
                of_shape(f"curves[{name!r}]", values, x.shape)
            y = np.broadcast_to(np.asarray(values, float), x.shape)
            if name in areas:
                axes.fill_between(x, y, color="#d9d9d9", lw=0, label=name)
            else:
                dot = {"marker": "o"} if len(x) == 1 else {}  # one point makes no line
                style = {"color": f"C{i}", "lw": 1.5, **dot, **(styles or {}).get(name, {})}
                axes.plot(x, y, label=name, **style)
            late.extend(y[len(x) - max(1, round(settled * len(x))) :])
        if xlim or len(x) > 1:
            axes.set_xlim(*(xlim or (x.min(), x.max())))
        margin = 0.08 * (np.nanmax(late) - np.nanmin(late)) or 1.0
        axes.set_ylim(*(ylim or (np.nanmin(late) - margin, np.nanmax(late) + margin)))
    for i, axes in enumerate(places):
        if i % columns == 0:
            axes.set_ylabel(ylabel, color=INK, fontsize=9)
        if i + columns >= len(places):  # the lowest of its column
            axes.set_xlabel(xlabel, color=INK, fontsize=9)
    legend_below(figure, places[0])
    return figure

"""A picture of two quantities that can only be had one for the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from jaxgen.array_checks import of_shape
from jaxgen.pictures.figure import INK, plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def rate_distortion_curve(
    x: ArrayLike,
    y: ArrayLike,
    names: Sequence[str],
    *,
    sums: Mapping[str, float] | None = None,
    xlabel: str,
    ylabel: str,
    title: str,
) -> Figure:
    """Returns the points, joined in the order of x and each named, and lines of equal x + y.

    Args:
      sums: by their names in the legend.
    Raises:
      ValueError: there are not as many values as names.
    Example:
      >>> rate_distortion_curve(
      ...     [21.0, 9.5],
      ...     [12.0, 26.5],
      ...     ["β = 1", "β = 4"],
      ...     sums={"-ELBO": 33.0},
      ...     xlabel="rate (bits)",
      ...     ylabel="distortion (bits)",
      ...     title="Rate and distortion",
      ... )
    """
    figure, axes = plot(title, xlabel, ylabel)
    x, y = np.asarray(x, float), np.asarray(y, float)
    of_shape("x", x, (len(names),))
    of_shape("y", y, (len(names),))
    order = np.argsort(x)
    axes.plot(x[order], y[order], marker="o", ms=5, lw=1.8)
    for name, at_x, at_y in zip(names, x, y, strict=True):
        axes.annotate(name, (at_x, at_y), (6, 5), textcoords="offset points", color=INK, size=8)
    ends = np.array([0.0, 1.12 * x.max()])
    for style, (name, total) in zip(("--", ":", "-."), (sums or {}).items(), strict=False):
        axes.plot(ends, total - ends, color=INK, lw=1.2, ls=style, label=name)
    axes.set(xlim=ends, ylim=(0, 1.12 * y.max()))
    axes.grid(alpha=0.25)
    if sums:
        axes.legend(frameon=False)
    return figure

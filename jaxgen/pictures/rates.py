"""Rates of success with their intervals, such as the power of tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from jaxgen.checks import at_least
from jaxgen.numerics import wilson_interval
from jaxgen.pictures.figure import INK, drawn_on

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def rates(
    axes: Axes,
    places: Sequence[int] | Sequence[float],
    curves: Mapping[str, ArrayLike],
    trials: int,
    *,
    level: float | None = None,
) -> None:
    """Draws rates along `places`, each with its 95% interval (Wilson's) from as many trials.

    Args:
      axes: to draw on, of `plot` or `panels`.
      places: along the horizontal axis.
      curves: rates in [0, 1] at the places, by label.
      trials: behind every rate.
      level: of a dashed line across.
    Raises:
      ValueError: trials is below one; axes is no plot.
    Example:
      >>> figure, axes = plot("Power", "samples of each", "chance to reject")
      >>> rates(axes, (16, 40, 100), {"MMD": (0.2, 0.5, 0.9)}, 200, level=0.05)
    """
    drawn_on("axes", axes, "errorbar")
    at_least("trials", trials, 1)
    for label, values in curves.items():
        rate = np.asarray(values, float)
        ends = np.abs(np.array(wilson_interval(rate, trials)) - rate)
        axes.errorbar(
            places, rate, ends, marker="o", ms=3, lw=1.5, elinewidth=0.6, capsize=2, label=label
        )
    if level is not None:
        axes.axhline(level, color=INK, lw=1, ls="--")
    axes.set_ylim(-0.02, 1.02)
    axes.grid(alpha=0.25)

"""A plane of two numbers that need not agree: points with intervals, and paths between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxgen.pictures.figure import INK, blank, legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ABOVE, BELOW = (7, 6), (7, -13)
"""Where labels stand, in points from what they name."""


class Place(NamedTuple):
    """A value and the ends of its interval, across and up.

    Attributes:
      x, y: (value, low, high); an x that is not finite has no place but in the margin.
      label: beside it; empty for none.
    Example:
      >>> Place((80.0, 79.0, 81.0), (0.6, 0.55, 0.65)).label  # none beside it
      ''
    """

    x: tuple[float, float, float]
    y: tuple[float, float, float]
    label: str = ""


def frontier(
    points: Sequence[Place],
    paths: Mapping[str, Sequence[Place]],
    *,
    band: tuple[float, float, str],
    level: float,
    xlabel: str,
    ylabel: str,
    margin: str,
    title: str = "",
) -> Figure:
    """Returns the paths, near at hand; beside them all points, and in a margin those without an x.

    Args:
      points: each with its label.
      paths: by the legend's label; the places of a path are joined.
      band: from, to, and what it says: a range of x, shaded.
      level: of a dashed line across.
      margin: below what has no x.
    Raises:
      ValueError: no point has an x.
    Example:
      >>> one = Place((80.0, 79.0, 81.0), (0.6, 0.55, 0.65), "PixelCNN")
      >>> frontier(
      ...     [one],
      ...     {"in noise": [one, Place((85.0, 84.0, 86.0), (1.0, 0.98, 1.0))]},
      ...     band=(80.0, 84.6, "log 100"),
      ...     level=0.5,
      ...     xlabel="nats",
      ...     ylabel="accuracy",
      ...     margin="none",
      ... )
    """
    placed = sorted(point for point in points if np.isfinite(point.x[0]))
    if not placed:
        raise ValueError("points: got none with a finite x, expected at least one")
    figure = blank(11.0, 4.6, layout="constrained")
    near, whole, side = figure.subplots(1, 3, sharey=True, width_ratios=(5, 5, 1.7))
    for axes in (near, whole):
        axes.axvspan(*band[:2], color="C0", alpha=0.12, lw=0, label=band[2])
        axes.set_xlabel(xlabel, color=INK)
    for color, (label, path) in enumerate(paths.items()):
        for axes in (near, whole):
            _draw(axes, path, f"C{color}", marker="o", ms=3.5, lw=1.4, label=label)
        for place in path:
            _name(near, place, f"C{color}", ABOVE, size=7)
    for i, point in enumerate(placed):
        _draw(whole, [point], INK, marker="D", ms=5, zorder=5)
        _name(whole, point, INK, BELOW if i % 2 else ABOVE, size=8)
    for i, point in enumerate(point for point in points if not np.isfinite(point.x[0])):
        here = point._replace(x=(float(i),) * 3)
        _draw(side, [here], INK, marker="s", ms=5)
        at = (here.x[0], here.y[2])
        turned = {"rotation": 90, "ha": "center", "va": "bottom", "textcoords": "offset points"}
        side.annotate(point.label, at, (0, 4), color=INK, size=8, **turned)
    for axes in (near, whole, side):
        axes.axhline(level, color=INK, lw=1, ls="--")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.2)
    near.set_ylabel(ylabel, color=INK)
    legend_below(figure, near)
    whole.margins(x=0.12)
    near.set_title(title, loc="left", color=INK, fontsize=11)
    side.set_xticks([])
    side.margins(x=0.3)
    side.set_xlabel(margin, color=INK)
    return figure


def _draw(axes: Axes, places: Sequence[Place], color: str, **style: Any) -> None:
    x, y = (np.array([getattr(place, name) for place in places], float) for name in ("x", "y"))
    x_error, y_error = (np.abs(of[:, 1:] - of[:, :1]).T for of in (x, y))
    axes.errorbar(x[:, 0], y[:, 0], y_error, x_error, color=color, elinewidth=0.7, **style)


def _name(axes: Axes, place: Place, color: str, offset: tuple[int, int], **style: Any) -> None:
    at = (place.x[0], place.y[0])
    axes.annotate(place.label, at, offset, textcoords="offset points", color=color, **style)

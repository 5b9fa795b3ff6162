"""A plane of two numbers that need not agree: points with intervals, and paths between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxgen.pictures.figure import INK, blank, legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

BESIDE = ((7, 6), (7, -13), (-7, 6), (-7, -13), (7, 17), (7, -24), (-7, 17), (-7, -24))
"""Where a label may stand, in points from what it names; the first that is free is taken."""
GAP = 4
"""Pixels around a label, which stay free."""
WIDE = 5
"""So many times the least x is the greatest where the plane of all points is logarithmic."""


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
    if placed[-1].x[0] > WIDE * placed[0].x[0] > 0:
        from matplotlib.ticker import LogLocator, NullFormatter

        whole.set_xscale("log")
        whole.xaxis.set(
            major_locator=LogLocator(subs=(1, 2, 5)),
            major_formatter="{x:g}",
            minor_formatter=NullFormatter(),
        )
    names = []
    for color, (label, path) in enumerate(paths.items()):
        for axes in (near, whole):
            _draw(axes, path, f"C{color}", marker="o", ms=3.5, lw=1.4, label=label)
        names += [_name(near, place, f"C{color}", size=7) for place in path if place.label]
    for point in placed:
        _draw(whole, [point], INK, marker="D", ms=5, zorder=5)
        names.append(_name(whole, point, INK, size=8))
    for i, point in enumerate(point for point in points if not np.isfinite(point.x[0])):
        here = point._replace(x=(float(i),) * 3)
        _draw(side, [here], INK, marker="s", ms=5)
        high = here.y[0] > np.mean([point.y[0] for point in points])
        end, offset, edge = (here.y[1], -4, "top") if high else (here.y[2], 4, "bottom")
        turned = {"rotation": 90, "ha": "center", "va": edge, "textcoords": "offset points"}
        side.annotate(point.label, (here.x[0], end), (0, offset), color=INK, size=8, **turned)
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
    figure.draw_without_rendering()  # only now is it known where everything stands
    _set_apart(names)
    return figure


def _draw(axes: Axes, places: Sequence[Place], color: str, **style: Any) -> None:
    x, y = (np.array([getattr(place, name) for place in places], float) for name in ("x", "y"))
    x_error, y_error = (np.abs(of[:, 1:] - of[:, :1]).T for of in (x, y))
    axes.errorbar(x[:, 0], y[:, 0], y_error, x_error, color=color, elinewidth=0.7, **style)


def _name(axes: Axes, place: Place, color: str, **style: Any) -> Annotation:
    at = (place.x[0], place.y[0])
    return axes.annotate(
        place.label, at, BESIDE[0], textcoords="offset points", color=color, **style
    )


def _set_apart(names: Sequence[Annotation]) -> None:
    """Moves each label to the first place beside its point where none before it stands."""
    taken: list[Bbox] = []
    for name in names:
        for at in BESIDE:
            if not any(_moved(name, at).overlaps(of) for of in taken):
                break
        taken.append(name.get_window_extent().padded(GAP))


def _moved(name: Annotation, at: tuple[int, int]) -> Bbox:
    name.set(ha="left" if at[0] > 0 else "right")
    name.xyann = at
    return name.get_window_extent()

"""Curves as the lines of an SVG picture, for pages without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

WIDTH, HEIGHT = 240, 120
COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f")


def polylines(curves: Sequence[Sequence[tuple[int, float]]]) -> str:
    """Returns the SVG of curves on one scale, in the order of the colors; of one point, a dot.

    Example:
      >>> from jaxgen.workbench.polylines import polylines
      >>> polylines([[(1, -3.0), (3, -1.0)]]).count("polyline")
      1
    """
    across = _scale((x for curve in curves for x, _ in curve), 5.0, WIDTH - 5.0)
    up = _scale((y for curve in curves for _, y in curve), HEIGHT - 5.0, 5.0)
    marks = []
    for i, curve in enumerate(curves):
        color = COLORS[i % len(COLORS)]
        places = [(f"{across(x):.1f}", f"{up(y):.1f}") for x, y in curve]
        if len(places) == 1:
            ((x, y),) = places
            marks.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{color}"/>')
        elif places:
            at = " ".join(f"{x},{y}" for x, y in places)
            line = f'fill="none" stroke="{color}" stroke-width="2"'
            marks.append(f'<polyline {line} points="{at}"/>')
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}">{"".join(marks)}</svg>'


def _scale(values: Iterable[float], start: float, end: float) -> Callable[[float], float]:
    """Returns the linear map of the least value to `start` and of the greatest to `end`.

    Of halves, whose difference every float holds.
    """
    halves = [value / 2 for value in values]
    low, span = min(halves, default=0.0), max(halves, default=0.0) - min(halves, default=0.0)
    return lambda value: start + (value / 2 - low) / (span or 0.5) * (end - start)

"""Numbers with intervals on a logarithmic axis: a row for each name, a color for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from jaxgen.pictures.figure import INK, legend_below, plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LETTERS = 100
"""Of a legend, in the width of the figure."""

Intervals: TypeAlias = Mapping[str, Mapping[str, tuple[float, float, float]]]
"""Of each kind and name the low end, the number, and the high end; all positive, or all zero."""


def intervals(kinds: Intervals, *, xlabel: str, title: str, one: float | None = 1.0) -> Figure:
    """Returns a plot with a row for each name, and a dot and a bar for each kind that has it.

    A zero is drawn as an arrow at the left edge.

    Args:
      kinds: by name of the kind, the intervals by name of the row.
      xlabel: of the numbers.
      title: of the figure; it says what the bars are.
      one: where a vertical line stands for comparison, if any.
    Raises:
      ValueError: there is no number.
    Example:
      >>> intervals(
      ...     {"mine": {"toy": (0.2, 0.21, 0.22)}, "best known": {"toy": (0.1, 0.11, 0.12)}},
      ...     xlabel="variance, of the score function's",
      ...     title="95% intervals",
      ... )
    """
    names = list(dict.fromkeys(name for of in kinds.values() for name in of))
    if not names:
        raise ValueError("kinds: got no number, expected one or more")
    width = max(7.0, 4.0 + 0.09 * max(map(len, names)))  # inches, of which a letter takes .09
    figure, axes = plot(title, xlabel, size=(width, 1.6 + 0.3 * len(names)))
    positive = [low for of in kinds.values() for low, _, _ in of.values() if low > 0]
    edge = min([*positive, one or 1.0]) / 3
    for kind, (label, of_names) in enumerate(kinds.items()):
        shift = 0.5 * ((kind + 0.5) / len(kinds) - 0.5)
        color = f"C{kind % 10}"
        axes.plot([], [], "o", color=color, markersize=5, label=label)
        for name, (low, value, high) in of_names.items():
            at = names.index(name) + shift
            if not value > 0:
                axes.plot([edge], [at], "<", color=color, markersize=5)
                continue
            axes.plot([low, high], [at, at], color=color, linewidth=2, alpha=0.7)
            axes.plot([value], [at], "o", color=color, markersize=5)
    _logarithmic(axes)
    if one is not None:
        axes.axvline(one, color=INK, linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.25)
    if len(kinds) > 1:
        longest = max(map(len, kinds)) + 8  # letters, with the mark and the gap
        legend_below(figure, axes, columns=min(6, max(1, _LETTERS // longest)))
    return figure


def _logarithmic(axes: Axes) -> None:
    """Makes the horizontal axis one of decades; of fewer than two, of 1, 2 and 5 in each."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    few = high < 100 * low
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,), numticks=7))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())

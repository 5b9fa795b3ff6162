"""A table of positive numbers whose cells are the darker, the larger the number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from jaxgen.pictures.figure import plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def heat_map(
    values: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    limits: tuple[float, float],
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
) -> Figure:
    """Returns the numbers in cells, colored on a logarithmic scale and written in black or white.

    Args:
      values: [rows, columns]; what is below zero counts as zero, infinity is the darkest.
      rows: names from above.
      columns: names from the left.
      limits: the numbers, both positive, up to which a cell is white, and from which it is darkest.
    Raises:
      ValueError: there are not as many names as rows and columns.
    Example:
      >>> heat_map([[0, 25], [np.inf, 3]], ["a", "b"], ["a", "b"], limits=(0.1, 1e3))
    """
    values = np.maximum(np.asarray(values, float), 0)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(
            f"values: got shape {values.shape}, expected {(len(rows), len(columns))}, one row and "
            "column per name"
        )
    size = (0.58 * len(columns) + 2.8, 0.58 * len(rows) + 2.2)
    figure, axes = plot(title, xlabel, ylabel, size=size)
    low, high = np.log10(limits)
    shades = (np.log10(np.clip(values, *limits)) - low) / (high - low)
    image = axes.imshow(shades, cmap="Blues", vmin=0, vmax=1)
    for (row, column), shade in np.ndenumerate(shades):
        black = _luminance(image.cmap(shade)[:3]) > 0.18  # equal contrasts, 4.6
        text = _short(float(values[row, column]))
        axes.text(column, row, text, ha="center", va="center", fontsize=7,
                  color="black" if black else "white")  # fmt: skip
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _luminance(color: Sequence[float]) -> float:
    """Returns the relative luminance of a color of sRGB, as WCAG 2 has it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def _short(value: float) -> str:
    """Returns a number in at most five letters."""
    if np.isinf(value) or value < 10:
        return f"{value:.1f}"
    return f"{value:.0f}" if value < 1e5 else f"{value:.0e}"

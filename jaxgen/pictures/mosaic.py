"""Many images on one canvas: every pixel a crisp square, none blurred or uneven."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8
from numpy.typing import ArrayLike

from jaxgen.pictures.figure import DPI, INK, blank

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GAP = 0.08
"""Between images, as a part of their width."""


def pixels(images: ArrayLike, rank: int, scale: tuple[float, float]) -> UInt8[np.ndarray, "..."]:
    """Returns floats as pixels: `scale[0]` as 0, `scale[1]` as 255, what is not finite as 0.

    Raises:
      ValueError: the images have not `rank` axes with one or three channels last; or a value is
        outside `scale`, which a picture would hide.
    """
    images = np.asarray(images, float)
    if images.ndim != rank or images.shape[-1] not in (1, 3) or not images.size:
        raise ValueError(
            f"images: got shape {images.shape}, expected {rank} axes, the last three being height, "
            "width and channels (1 or 3)"
        )
    low, high = scale
    if not low < high:
        raise ValueError(f"scale: got {scale}, expected the black value below the white one")
    finite = np.isfinite(images)  # a picture must not fail on what is not
    shares = np.where(finite, (images - low) / (high - low), 0.0)
    if shares.min() < -1e-6 or shares.max() > 1 + 1e-6:
        raise ValueError(
            f"images: got values from {images[finite].min():g} to {images[finite].max():g}, "
            f"expected {low:g} to {high:g}: pass their own scale=(black, white), or clip them"
        )
    return np.round(255 * np.clip(shares, 0, 1)).astype(np.uint8)


def mosaic(
    tiles: UInt8[np.ndarray, "rows columns height width channels"],
    title: str,
    *,
    left: float = 0.1,
    bottom: float = 0.1,
    row_gaps: Sequence[float] = (GAP,),
) -> tuple[Figure, Axes, tuple[list[float], list[float]]]:
    """Lays out the tiles; also returns the tiles' centers, down and across.

    One pixel of an image is a whole number of pixels on the canvas, so none is blurred or uneven.

    Args:
      left, bottom: margins in inches, for ticks and labels.
      row_gaps: between rows, in turn, as parts of an image's width.
    """
    rows, columns, height, width, _ = tiles.shape
    scale = max(1, min(round(0.55 * DPI / width), 1800 // (columns * width)))
    gap = max(1, round(GAP * width * scale))
    tops, y = [], 0
    for i in range(rows):
        tops.append(y)
        y += height * scale + max(1, round(row_gaps[i % len(row_gaps)] * width * scale))
    total = (tops[-1] + height * scale, columns * (width * scale + gap) - gap)
    canvas = np.full((*total, 3), 255, np.uint8)
    lefts = [j * (width * scale + gap) for j in range(columns)]
    for i, top in enumerate(tops):
        for j, start in enumerate(lefts):
            big = tiles[i, j].repeat(scale, axis=0).repeat(scale, axis=1)
            canvas[top : top + height * scale, start : start + width * scale] = big

    margin = round(0.1 * DPI)
    above = round(0.35 * DPI) if title else margin
    at_left, below = round(left * DPI), round(bottom * DPI)
    across = max(total[1], round(0.09 * DPI * len(title)))  # room for the title, at 11 points
    size = (across + at_left + margin, total[0] + above + below)
    figure = blank(size[0] / DPI, size[1] / DPI)
    box = (at_left / size[0], below / size[1], total[1] / size[0], total[0] / size[1])
    axes = figure.add_axes(box)
    axes.imshow(canvas, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if title:
        figure.text(
            at_left / size[0], 1 - 0.08 * DPI / size[1], title, va="top", color=INK, size=11
        )
    centers = ([t + height * scale / 2 for t in tops], [x + width * scale / 2 for x in lefts])
    return figure, axes, centers


def ticks(axis: Any, places: Sequence[float], labels: Sequence[str]) -> None:
    """Writes the labels at the places along an axis of a mosaic."""
    axis.set_ticks(places, labels)
    axis.set_tick_params(length=0, labelsize=8, labelcolor=INK)

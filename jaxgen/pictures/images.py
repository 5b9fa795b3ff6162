"""Pictures of images: a grid, labeled rows, the plane of a latent of two dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from jaxgen.checks import at_least
from jaxgen.pictures.figure import INK
from jaxgen.pictures.mosaic import GAP, mosaic, pixels, ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def image_grid(
    images: ArrayLike,
    *,
    columns: int = 10,
    title: str = "",
    scale: tuple[float, float] = (0.0, 1.0),
) -> Figure:
    """Returns the images in reading order, each pixel a crisp square.

    Args:
      images: floats [n, height, width, channels]; one channel (gray) or three (colors).
      columns: images in a row; the last row may be short.
      scale: the values of black and of white; `(-1.0, 1.0)` for the images of a tanh.
    Raises:
      ValueError: the images are not of that shape, or hold values outside `scale`.
    Example:
      >>> images = load("digits", "test").images[:40] / 255
      >>> image_grid(images, title="Digits").savefig("digits.png")
    """
    images = pixels(images, 4, scale)
    columns = min(at_least("columns", columns, 1), len(images))
    rows = -(-len(images) // columns)
    white = np.full((rows * columns - len(images), *images.shape[1:]), 255, np.uint8)
    tiles = np.concatenate([images, white]).reshape(rows, columns, *images.shape[1:])
    return mosaic(tiles, title)[0]


def side_by_side(
    rows: Mapping[str, ArrayLike],
    *,
    columns: int = 10,
    title: str = "",
    scale: tuple[float, float] = (0.0, 1.0),
) -> Figure:
    """Returns rows of images, those of one place below each other; each row is labeled.

    Args:
      rows: images [n, height, width, channels] of one shape, by the label of their row.
      columns: images in a row. More of them stand further down, row under row again; those that do
        not fill a row are left out.
      scale: the values of black and of white.
    Raises:
      ValueError: the rows differ in shape or are no images, or hold values outside `scale`.
    Example:
      >>> x = load("digits", "test").images[:20] / 255
      >>> side_by_side({"original": x, "inverted": 1 - x})
    """
    if not rows:
        raise ValueError("rows: got none, expected at least one")
    images = {name: pixels(row, 4, scale) for name, row in rows.items()}
    shapes = {name: row.shape for name, row in images.items()}
    if len({*shapes.values()}) > 1:
        raise ValueError(f"rows: got shapes {shapes}, expected images of one number and shape")
    number, *shape = next(iter(shapes.values()))
    columns = min(at_least("columns", columns, 1), number)
    groups = number // columns
    whole = [row[: groups * columns].reshape(groups, columns, *shape) for row in images.values()]
    tiles = np.stack(whole, axis=1).reshape(groups * len(rows), columns, *shape)
    gaps = (*[GAP] * (len(rows) - 1), 4 * GAP)
    left = 0.085 * max(3, *map(len, rows))  # inches; a letter of 8 points is about that wide
    figure, axes, (down, _) = mosaic(tiles, title, left=left, row_gaps=gaps)
    ticks(axes.yaxis, down, [*rows] * groups)
    return figure


def latent_grid(
    images: ArrayLike,
    quantiles: Sequence[float],
    *,
    title: str = "What each point of the latent plane decodes to",
    scale: tuple[float, float] = (0.0, 1.0),
) -> Figure:
    """Returns the decoded images of a square lattice over a latent of two dimensions.

    Args:
      images: floats [rows, columns, height, width, channels]. Image [i, j] decodes z = (quantile j,
        quantile i) of the prior; row 0 is drawn at the bottom, so that both axes grow as in any
        plot.
      quantiles: the probabilities, in (0, 1), of rows and columns alike.
      scale: the values of black and of white.
    Raises:
      ValueError: the lattice is not as wide and high as there are quantiles, or holds values
        outside `scale`.
    Example:
      >>> quantiles = [0.25, 0.5, 0.75]
      >>> decoded = np.zeros((3, 3, 8, 8, 1))  # an image for each pair of them
      >>> latent_grid(decoded, quantiles)
    """
    images = pixels(images, 5, scale)
    if images.shape[:2] != (len(quantiles),) * 2:
        raise ValueError(
            f"images: got a lattice of {images.shape[:2]}, expected {(len(quantiles),) * 2}, one "
            "row and column per quantile"
        )
    figure, axes, (down, across) = mosaic(images[::-1], title, left=0.7, bottom=0.5)
    labels = [f"{q:.2f}".lstrip("0") for q in quantiles]
    ticks(axes.xaxis, across, labels)
    ticks(axes.yaxis, down[::-1], labels)
    axes.set_xlabel("quantile of $z_1$", color=INK)
    axes.set_ylabel("quantile of $z_2$", color=INK)
    return figure

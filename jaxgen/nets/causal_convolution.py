"""Causal convolutions as shifted copies of the image and one matrix product.

A masked kernel computes the taps that it must not have and multiplies them by zero. Here a tap that
is absent is never computed, so there is no mask that could be wrong.
"""

from __future__ import annotations

from typing import TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

Offsets: TypeAlias = tuple[tuple[int, int], ...]
"""The pixels that a place sees, by (rows down, columns to the right) of the place itself."""


def above(rows: int, reach: int) -> Offsets:
    """Returns the offsets of the pixels in `rows` rows above, at most `reach` columns aside.

    Example:
      >>> above(1, 1)  # ((-1, -1), (-1, 0), (-1, 1))
    """
    columns = range(-reach, reach + 1)
    return tuple((row, column) for row in range(-rows, 0) for column in columns)


def left(reach: int) -> Offsets:
    """Returns the offsets of the `reach` pixels to the left in the same row.

    Example:
      >>> left(2)  # ((0, -2), (0, -1))
    """
    return tuple((0, column) for column in range(-reach, 0))


def shifted_copies(
    x: Float[Array, "height width channels"], offsets: Offsets
) -> Float[Array, "height width taps"]:
    """Returns what every place sees, side by side: the channels at each offset, in their order.

    Outside of the image there are zeros.

    Example:
      >>> shifted_copies(x, left(1))[0, 3]  # x[0, 2]
    """
    height, width, _ = x.shape
    begin, padded = _padded(x, offsets)
    corners = np.array(offsets) + begin
    copies = [padded[row : row + height, column : column + width] for row, column in corners]
    return jnp.concatenate(copies, axis=-1)


def patches(
    x: Float[Array, "height width channels"], offsets: Offsets, places: Int[Array, "n"]
) -> Float[Array, "n taps"]:
    """Returns what some places see: those rows of `shifted_copies`, and no other is computed.

    Args:
      places: counted row by row, from 0 to height * width - 1.
    Example:
      >>> patches(x, left(1), jnp.array([3]))[0]  # x[0, 2]
    """
    width = x.shape[1]
    begin, padded = _padded(x, offsets)
    down, right = (np.array(offsets) + begin).T
    seen = padded[places[:, None] // width + down, places[:, None] % width + right]
    return seen.reshape(len(places), -1)


def _padded(x: Array, offsets: Offsets) -> tuple[np.ndarray, Array]:
    """Returns where the image begins within a frame of zeros as wide as the offsets reach; both."""
    farthest = np.array([*offsets, (0, 0)])
    before, after = -farthest.min(axis=0), farthest.max(axis=0)
    frame = [*zip(before, after, strict=True), (0, 0)]
    return before, jnp.pad(x, [(int(low), int(high)) for low, high in frame])

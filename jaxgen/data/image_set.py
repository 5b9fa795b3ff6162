"""Images with their labels and the way to prepare them; one check that every array passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Int32, UInt8

from jaxgen.checks import one_of
from jaxgen.data.pixels import BINARIZATIONS, Prepare, number_of_levels, threshold


class ImageSet(NamedTuple):
    """One split of a set of images, on the host.

    Attributes:
      images: pixels, always 0 to 255 and always with a channel axis; of a prepared set or a folder
        they are mapped from a file, read as they are used, and cannot be changed.
      labels: a class per image, or None where the set has none.
      name: the set's name, as `load` was asked for it.
      split: the split, as `load` was asked for it.
      levels: values that a pixel takes as `prepare` gives it, evenly spaced from 0 to 1: 17 of the
        digits, 2 once binarized, else 256. Noise, bins and bits/dim go by it.
      prepare: `(key, images) -> floats in [0, 1]` of the same shape, for any uint8 batch of these
        images, to be called inside the compiled step (see `jaxgen.data.pixels`).
    Example:
      >>> digits = load("digits", "train")
      >>> digits.images.shape[1:], digits.images.dtype, digits.levels
      ((8, 8, 1), dtype('uint8'), 17)
      >>> x = digits.prepare(jax.random.key(0), digits.images[:2])  # floats in [0, 1]
    """

    images: UInt8[np.ndarray, "n height width channels"]
    labels: Int32[np.ndarray, "n"] | None
    name: str
    split: str
    levels: int
    prepare: Prepare

    @property
    def binary(self) -> bool:
        """Whether every pixel is 0 or 255, so that binarizing changes and draws nothing."""
        return _is_binary(self.images)


def from_arrays(
    images: ArrayLike | Sequence[Any],
    labels: ArrayLike | Sequence[Any] | None = None,
    *,
    levels: int | None = None,
    binarization: str = "none",
    name: str = "arrays",
    split: str = "all",
) -> ImageSet:
    """Returns one's own arrays as an `ImageSet`, checked.

    Args:
      images: integers 0 to 255, [n, height, width, channels]. If none is above 1 they are taken as
        binary and stored as 0 and 255.
      labels: integers [n], or None.
      levels: how many gray values the images are made of, evenly spaced: every pixel is
        round(255 · k / (levels - 1)). By default 2 if all are 0 or 255, else 256.
      binarization: `none` (pixels / 255), `threshold` (1 from 128 on) or `dynamic` (a fresh
        Bernoulli(pixels / 255) draw at each use; of a binary set nothing needs drawing, so
        `prepare` then ignores its key).
      name, split: what to call it.
    Raises:
      ValueError: images are not integers, are outside 0 to 255, are empty or have no channel axis;
        labels are not one int32 per image; a pixel is none of the levels; binarization is
        unknown.
    Example:
      >>> mine = from_arrays(np.arange(4).reshape(1, 2, 2, 1), labels=[7])
      >>> print(mine.prepare(jax.random.key(0), mine.images).max())  # 3/255
      0.0118
    """
    prepare = BINARIZATIONS[one_of("binarization", binarization, BINARIZATIONS)]
    images = as_pixels(np.asarray(images))
    binary = _is_binary(images)
    if levels is not None:
        _on_levels(images, number_of_levels(levels))
    else:
        levels = 2 if binary else 256
    if binarization == "dynamic" and binary:
        prepare = threshold
    if binarization != "none":
        levels = 2
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(
                f"labels: got {labels.dtype} of shape {labels.shape}, expected one integer for "
                f"each of the {len(images)} images"
            )
        low, high = int(labels.min()), int(labels.max())
        if low < np.iinfo(np.int32).min or high > np.iinfo(np.int32).max:
            raise ValueError(f"labels: got values from {low} to {high}, expected int32")
        labels = labels.astype(np.int32, copy=False)
    return ImageSet(images, labels, name, split, levels, prepare)


def as_pixels(images: np.ndarray) -> UInt8[np.ndarray, "n height width channels"]:
    """Returns `images` as uint8 pixels, with 0 and 1 made 0 and 255; see `from_arrays`."""
    expected = "expected integers 0 to 255 of shape [n, height, width, channels]"
    if not np.issubdtype(images.dtype, np.integer):
        raise ValueError(
            f"images: got {images.dtype}, {expected} "
            "(of floats in [0, 1] make np.rint(255 * images).astype(np.uint8))"
        )
    if images.ndim != 4 or images.size == 0:
        raise ValueError(f"images: got shape {images.shape}, {expected}")
    if images.dtype != np.uint8:
        low, high = int(images.min()), int(images.max())
        if low < 0 or high > 255:
            raise ValueError(f"images: got values from {low} to {high}, {expected}")
        images = images.astype(np.uint8)
    zeros_and_ones = _all_of_blocks(lambda block: block <= 1, images)
    return images * np.uint8(255) if zeros_and_ones else images


def _on_levels(images: UInt8[np.ndarray, "..."], levels: int) -> None:
    accepted = np.rint(np.arange(levels) * (255 / (levels - 1))).astype(np.uint8)
    if others := sorted(set(np.unique(images).tolist()) - set(accepted.tolist())):
        raise ValueError(
            f"levels: got {levels} of images with a pixel of {others[0]}, expected pixels of "
            f"round(255 k / {levels - 1})"
        )


def _is_binary(images: UInt8[np.ndarray, "..."]) -> bool:
    return _all_of_blocks(lambda block: (block == 0) | (block == 255), images)


def _all_of_blocks(
    holds: Callable[[np.ndarray], np.ndarray], images: UInt8[np.ndarray, "..."]
) -> bool:
    """Whether it holds of every pixel; it looks no further than the first block that fails."""
    return all(np.all(holds(images[i : i + _BLOCK])) for i in range(0, len(images), _BLOCK))


_BLOCK = 1024
"""Images that are looked at together."""

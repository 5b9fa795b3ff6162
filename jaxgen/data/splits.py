"""Named splits of a set, and TFDS's spelling for parts and sums of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np


class Arrays(NamedTuple):
    """Images [n, height, width, channels] and labels [n] or None."""

    images: np.ndarray
    labels: np.ndarray | None


class Source(NamedTuple):
    """Where images come from.

    Attributes:
      sizes: how many images each split holds.
      read: `split -> Arrays` of one whole split.
    """

    sizes: dict[str, int]
    read: Callable[[str], Arrays]


def hold_out_validation(source: Source) -> Source:
    """Returns `source` with a validation split, if it has `train` and not yet `validation`.

    The last sixth of `train`, at most 10,000 images, becomes `validation` and leaves `train`: of
    MNIST's 60,000 that is the usual 50,000 + 10,000, and `train+validation` is all of them.
    """
    if "train" not in source.sizes or "validation" in source.sizes:
        return source
    total = source.sizes["train"]
    kept = total - min(10_000, total // 6)
    part = {"train": slice(0, kept), "validation": slice(kept, total)}

    def read(split: str) -> Arrays:
        return _take(source.read("train"), part[split]) if split in part else source.read(split)

    return Source({**source.sizes, "train": kept, "validation": total - kept}, read)


def select(source: Source, split: str) -> Arrays:
    """Returns the images that `split` names: a split, or parts and sums as in `train[:10%]+test`.

    Raises:
      ValueError: `split` names no split of `source`, or cannot be read as TFDS would.
    """
    if split in source.sizes:
        return source.read(split)
    import tensorflow_datasets as tfds

    # Only sizes are known here, so a slice in units of files ends in AttributeError.
    sizes = {name: SimpleNamespace(num_examples=n) for name, n in source.sizes.items()}
    try:
        parts = tfds.core.ReadInstruction.from_spec(split).to_absolute(sizes)
    except (ValueError, AttributeError, NotImplementedError):
        known = ", ".join(f"{name} ({size:,} images)" for name, size in source.sizes.items())
        raise ValueError(
            f"split: got {split!r}, expected one of {known}, or slices by count or percent and "
            "sums of them, such as train[:10%] or train+validation"
        ) from None
    read = cache(source.read)
    arrays = [_take(read(part.splitname), slice(part.from_, part.to)) for part in parts]
    if len(arrays) == 1:  # as it lies, perhaps in a file
        return arrays[0]
    images = np.concatenate([a.images for a in arrays])
    labels = [a.labels for a in arrays if a.labels is not None]
    return Arrays(images, np.concatenate(labels) if len(labels) == len(arrays) else None)


def _take(arrays: Arrays, part: slice) -> Arrays:
    return Arrays(arrays.images[part], None if arrays.labels is None else arrays.labels[part])

"""Image sets by name."""

from __future__ import annotations

import os

from jaxgen.checks import one_of
from jaxgen.data.digits import LEVELS, digits
from jaxgen.data.image_set import ImageSet, from_arrays
from jaxgen.data.pixels import BINARIZATIONS
from jaxgen.data.prepared import data_root, prepared
from jaxgen.data.splits import hold_out_validation, select


def load(
    name: str,
    split: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    binarization: str = "none",
) -> ImageSet:
    """Returns a split of a set of images, whole, in memory on the host.

    The first load of a prepared set decodes it (some thousand images a second) and keeps the
    arrays beside it, or in the user's cache directory if it is read-only; later loads of 60,000
    small images take a fraction of a second. No TensorFlow is needed to read.

    Args:
      name: `digits` (embedded, 8x8; see `jaxgen.data.digits`), or any image set of TFDS that is
        prepared under `data_dir`, spelled as there: `mnist`, `mnist:3.0.1`,
        `cycle_gan/horse2zebra`.
      split: a split's name, or slices and sums as in TFDS: `test`, `train[:10%]`,
        `train+validation`. A set that comes with `train` but no `validation` has the last sixth of
        its `train`, at most 10,000 images, held out as `validation`: MNIST's `train` then has
        50,000 images, `validation` 10,000, and `train+validation` all 60,000.
      data_dir: where TFDS prepared its sets; by default TFDS_DATA_DIR, else ~/tensorflow_datasets.
      binarization: how `prepare` makes floats of pixels: `none`, `threshold` or `dynamic`; see
        `from_arrays`. A set stored as 0 and 1 is given as 0 and 255, whatever this is.
    Returns:
      The images, their labels if the set has any, and `prepare`.
    Raises:
      ValueError: an argument is unknown (with what is accepted), the set is not prepared (with the
        command that does it), data_dir is a file, or a file in it is truncated or damaged.
    Example:
      >>> digits = load("digits", "train", binarization="dynamic")
      >>> images, labels = digits.images[:128], digits.labels[:128]
      >>> x = digits.prepare(jax.random.key(0), images)  # 0 and 1, drawn anew for each key
      >>> x.shape, x.dtype
      ((128, 8, 8, 1), dtype('float32'))
    """
    one_of("binarization", binarization, BINARIZATIONS)
    root = data_root(data_dir)
    levels = LEVELS if name == "digits" else None
    source = digits() if name == "digits" else hold_out_validation(prepared(name, root))
    images, labels = select(source, split)
    return from_arrays(
        images, labels, levels=levels, binarization=binarization, name=name, split=split
    )

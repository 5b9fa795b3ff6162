"""Image sets by name."""

from __future__ import annotations

import os

from jaxgen.checks import one_of
from jaxgen.data.digits import LEVELS, digits
from jaxgen.data.folder_splits import FOLDER, of_folder
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
    """Returns a split of a set of images.

    The first load of a prepared set or a folder decodes it (some thousand images a second) and
    keeps the pixels in a file of JAXGEN_CACHE_DIR, or else of the user's cache directory, never
    beside the data. Later loads map that file, whatever its size. No TensorFlow is needed to read.

    Args:
      name: `digits` (embedded, 8x8; see `jaxgen.data.digits`), any image set of TFDS that is
        prepared under `data_dir`, spelled as there: `mnist`, `mnist:3.0.1`,
        `cycle_gan/horse2zebra`; or `folder:PATH`, a folder of images of one size (see
        `load_folder`). Of a folder's n images, n // 7 are `test`, at most 10,000: those whose names
        have the smallest SHA-256, so that it is no matter how they are ordered.
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
        command that does it), data_dir is a file, or a file in it is truncated or damaged; the
        folder has less than 7 images, or unlike ones.
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
    if name == "digits":
        source = digits()
    elif name.startswith(FOLDER):
        source = hold_out_validation(of_folder(name))
    else:
        source = hold_out_validation(prepared(name, root))
    images, labels = select(source, split)
    return from_arrays(
        images, labels, levels=levels, binarization=binarization, name=name, split=split
    )

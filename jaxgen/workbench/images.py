"""The images that a recipe trains, validates and tests on, or an error that names its flag."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from jaxgen.data import ImageSet, load
from jaxgen.workbench.config import ImageConfig


class Images(NamedTuple):
    """The three splits of a set."""

    train: ImageSet
    validation: ImageSet
    test: ImageSet


def load_images(
    config: ImageConfig,
    binarization: str = "none",
    splits: Sequence[str] = ("train", "validation", "test"),
) -> Images:
    """Returns the splits of `config.dataset`.

    Args:
      binarization: as `jaxgen.data.load` has it.
      splits: what to train, validate and test on.
    Raises:
      ValueError: there is no such set, it cannot be read, or it is smaller than a batch; the
        message names the flag.
    Example:
      train, validation, test = load_images(config, "dynamic")
    """
    try:
        images = Images(
            *(
                load(config.dataset, split, data_dir=config.data_dir, binarization=binarization)
                for split in splits
            )
        )
    except ValueError as error:  # what `load` calls its name is --dataset here
        raise ValueError(re.sub("^name:", "dataset:", str(error))) from None
    if config.batch_size > len(images.train.images):
        raise ValueError(
            f"batch_size: got {config.batch_size}, expected at most {len(images.train.images)}, "
            f"the training images of {config.dataset}"
        )
    return images

"""The two domains that a translation is trained between."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import jax
import numpy as np
from jaxtyping import Array, Float, UInt8

from jaxgen.data import (
    TRANSLATIONS,
    Transform,
    compose,
    load,
    load_folder,
    random_crop,
    random_flip,
    resize,
    scale,
    unpaired,
)
from jaxgen.workbench.config import ImageConfig
from jaxgen.workbench.images import load_images
from jaxgen.workbench.refusals import renamed

Pixels: TypeAlias = UInt8[np.ndarray, "n height width channels"]


POOLED = 16
"""Height and width, at most, of images whose pixels are compared."""


class Domains(NamedTuple):
    """Images of X and of Y, which belong to no pairs in training.

    Attributes:
      train: of X and of Y, as many as there are of each.
      held_out: others of both.
    Example:
      >>> x, y = images.train.images, 255 - images.test.images
      >>> Domains(train=(x[:90], y[:80]), held_out=(x[90:], y[80:])).train[1].shape
      (80, 8, 8, 1)
    """

    train: tuple[Pixels, Pixels]
    held_out: tuple[Pixels, Pixels]


def jittered(
    shape: tuple[int, ...], *, enlarge: int | None = None, flip: bool = False
) -> Transform:
    """Returns what a step of training sees of bytes: floats, enlarged and cut, and mirrored.

    Args:
      shape: (height, width, channels) of the images, and of what is cut out of the enlarged.
      enlarge: height and width; by default nothing is cut.
      flip: whether half of the images are mirrored.
    Raises:
      ValueError: enlarge is below height or width.
    Example:
      >>> prepare = jittered((8, 8, 1), enlarge=9, flip=True)
      >>> jax.eval_shape(prepare, key, images.train.images).shape
      (100, 8, 8, 1)
    """
    if enlarge is not None and enlarge < max(shape[:2]):
        raise ValueError(f"enlarge: got {enlarge}, expected at least {max(shape[:2])}, the images'")
    window = (shape[0], shape[1])
    cut = [] if enlarge is None else [resize((enlarge, enlarge)), random_crop(window)]
    return compose(scale, *cut, *[random_flip] * flip)


def pooled(images: Float[Array, "n height width channels"]) -> Float[Array, "n dims"]:
    """Returns the pixels of images of at most 16x16, made so by smoothing, as vectors.

    Example:
      >>> pooled(jnp.zeros((2, 32, 32, 1))).shape
      (2, 256)
    """
    n, height, width, channels = images.shape
    small = (n, min(height, POOLED), min(width, POOLED), channels)
    return jax.image.resize(images, small, "linear").reshape(n, -1)


def load_domains(
    config: ImageConfig,
    folders: tuple[str, str] | None = None,
    *,
    size: int | None = None,
    channels: int | None = None,
) -> Domains:
    """Returns two folders of images, or a set as two domains.

    Of each folder the last tenth is held out, and two images at least.

    A set of `cycle_gan/` has its domains, and splits for them. Any other set is split in halves,
    the second inverted; its test images, halved in the same way, are held out.

    Args:
      config: whose `dataset` is read if there are no folders.
      folders: of X and of Y, as the flags `x_folder` and `y_folder`.
      size: height and width that the images of folders are resized to.
      channels: that they are converted to.
    Raises:
      ValueError: images cannot be read, or are fewer than a batch; the message names the flag.
    Example:
      >>> (x, y), (held_out_x, held_out_y) = load_domains(
      ...     config
      ... )  # the digits, half of them inverted
      >>> x.shape[1:] == y.shape[1:]
      True
    """
    if folders is not None:
        domains = []
        for field, folder in zip(("x_folder", "y_folder"), folders, strict=True):
            with renamed("directory", field):
                square = None if size is None else (size, size)
                images = load_folder(folder, size=square, channels=channels).images
            kept = len(images) - max(2, len(images) // 10)
            if kept < 1:
                raise ValueError(
                    f"{field}: got two images, expected three or more: two are held out"
                )
            domains.append((images[:kept], images[kept:]))
        (x, held_out_x), (y, held_out_y) = domains
    elif config.dataset.startswith("cycle_gan/"):
        with renamed("name", "dataset"):
            x, y, held_out_x, held_out_y = (
                load(config.dataset, split, data_dir=config.data_dir).images
                for split in ("trainA", "trainB", "testA", "testB")
            )
    else:
        train, _, test = load_images(config)
        with renamed("train", "dataset"):
            task, other = (unpaired(of, of, TRANSLATIONS["local"]) for of in (train, test))
        x, y, held_out_x, held_out_y = task.x, task.y, other.x, other.y
    if config.batch_size > max(len(x), len(y)):
        raise ValueError(
            f"batch_size: got {config.batch_size}, expected at most {max(len(x), len(y))}, the "
            "images of the larger domain"
        )
    return Domains((x, y), (held_out_x, held_out_y))

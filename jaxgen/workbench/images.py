"""The images that a recipe trains, validates and tests on, and those that it makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8

from jaxgen.array_checks import arrays
from jaxgen.checks import at_least, one_of
from jaxgen.data import ImageSet, dequantizer, from_arrays, load
from jaxgen.models import LIKELIHOODS
from jaxgen.types import Variables
from jaxgen.workbench.config import ImageConfig
from jaxgen.workbench.refusals import renamed

SPLITS = ("train", "validation", "test")


class Images(NamedTuple):
    """The three splits of a set.

    Example:
      >>> [split.split for split in images]
      ['train', 'validation', 'test']
    """

    train: ImageSet
    validation: ImageSet
    test: ImageSet


def load_images(
    config: ImageConfig, binarization: str = "none", splits: Sequence[str] = SPLITS
) -> Images:
    """Returns the splits of `config.dataset`.

    Args:
      binarization: as `jaxgen.data.load` has it.
      splits: what to train, validate and test on.
    Raises:
      ValueError: there is no such set, it cannot be read, or it is smaller than a batch; the
        message names the flag.
    Example:
      >>> load_images(ImageConfig(dataset="digits"), "threshold").train.levels
      2
    """
    with renamed("name", "dataset"):
        images = Images(
            *(
                load(config.dataset, split, data_dir=config.data_dir, binarization=binarization)
                for split in splits
            )
        )
    if config.batch_size > len(images.train.images):
        raise ValueError(
            f"batch_size: got {config.batch_size}, expected at most {len(images.train.images)}, "
            f"the training images of {config.dataset}"
        )
    return images


def first_images(images: ImageSet, count: int) -> UInt8[np.ndarray, "n height width channels"]:
    """Returns the first `count` images of a split, as `config.images` asks for them.

    Raises:
      ValueError: there are fewer; the message names the flag --images.
    Example:
      >>> first_images(images.test, 3).shape
      (3, 8, 8, 1)
    """
    count = at_least("images", count, 1)
    if count > len(images.images):
        raise ValueError(
            f"images: got {count}, expected at most {len(images.images)}, the {images.split} "
            f"images of {images.name}"
        )
    return images.images[:count]


def first_of(images: ImageSet, count: int) -> ImageSet:
    """Returns the set of the first `count` images, or of all if there are fewer.

    Example:
      >>> len(first_of(images.train, 20).labels)
      20
    """
    count = at_least("count", count, 1)
    labels = None if images.labels is None else images.labels[:count]
    return images._replace(images=images.images[:count], labels=labels)


def load_pixels(
    config: ImageConfig,
    likelihood: str = "bernoulli",
    binarization: str = "auto",
    splits: Sequence[str] = SPLITS,
) -> Images:
    """Returns the splits of `config.dataset`, which `prepare` makes what a likelihood models.

    For the Bernoulli likelihood gray pixels are drawn anew at each use (`dynamic`, and `auto`), or
    cut at one half (`threshold`); a set that is binary already may go without (`none`). For the
    Gaussian one they are dequantized by the set's levels, for others scaled to [0, 1].

    Args:
      likelihood: a name of `jaxgen.models.LIKELIHOODS`.
      binarization: of gray pixels.
      splits: what to train, validate and test on.
    Raises:
      ValueError: as `load_images`; there is no such likelihood, or it does not go with the
        binarization.
    Example:
      >>> gray = load_pixels(config, "gaussian").train
      >>> float(gray.prepare(key, gray.images[:1]).max()) < 1
      True
    """
    one_of("likelihood", likelihood, LIKELIHOODS)
    if likelihood == "bernoulli":
        images = load_images(config, "dynamic" if binarization == "auto" else binarization, splits)
        if binarization == "none" and not images.train.binary:
            raise ValueError(
                f"binarization: got 'none' for the gray pixels of {config.dataset}, which a "
                "Bernoulli likelihood has no probability for; expected dynamic or threshold"
            )
        return images
    if binarization not in ("auto", "none"):
        raise ValueError(
            f"binarization: got {binarization!r} with the {likelihood} likelihood, which models "
            "gray pixels; expected none"
        )
    images = load_images(config, "none", splits)
    if likelihood == "gaussian":
        prepare = dequantizer(images.train.levels)
        images = Images(*(split._replace(prepare=prepare) for split in images))
    return images


def on_levels(images: Images, levels: int) -> Images:
    """Returns the splits with every pixel rounded to the nearest of so many gray levels.

    A set with as many levels stays as it is.

    Raises:
      ValueError: levels is not between 2 and 256.
    Example:
      >>> np.unique(on_levels(load_images(config), 3).test.images)
      array([  0, 128, 255], dtype=uint8)
    """
    k = [np.rint(split.images * ((levels - 1) / 255)) for split in images]
    return Images(
        *(
            from_arrays(
                np.rint(of * (255 / (levels - 1))).astype(np.uint8),
                split.labels,
                levels=levels,
                name=split.name,
                split=split.split,
            )
            for of, split in zip(k, images, strict=True)
        )
    )


def generated_images(
    generate: Callable[..., tuple[Array, Any]],
    variables: Variables,
    z: Any,
    *,
    batch_size: int = 100,
) -> UInt8[Array, "n height width channels"]:
    """Returns a generator's images in bytes, rounded as the data are, for `image_features`; jit it.

    Args:
      generate: `(variables, z, train=False) -> (images in [0, 1], changed)`, as a `Gan` has it.
      variables: the generator's, or their average.
      z: latents, [n, latent], or a pair of latents and labels, [n].
      batch_size: images at a time.
    Example:
      >>> def generate(variables, z, train):
      ...     return jnp.full((len(z), 8, 8, 1), variables["level"]), {}
      >>> fakes = generated_images(generate, {"level": 0.2}, jnp.zeros((9, 2)))
      >>> fakes.shape, int(fakes.max())
      ((9, 8, 8, 1), 51)
    """

    arrays("z", z)

    def of_one(z: Any) -> Array:
        x, _ = generate(variables, jax.tree.map(lambda array: array[None], z), train=False)
        return jnp.rint(255 * x[0]).astype(jnp.uint8)

    return jax.lax.map(of_one, z, batch_size=batch_size)

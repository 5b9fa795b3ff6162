"""Random views of a batch of images, made inside the compiled step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Shaped

from jaxgen.checks import at_least
from jaxgen.types import Key
from jaxgen.values import known_by_call

Transform: TypeAlias = Callable[[Key, Array], Array]
"""`(key, images) -> images`, [n, height, width, channels], of any type; the key may be ignored."""


@known_by_call
def compose(*transforms: Transform) -> Transform:
    """Returns the transforms one after another, each with a key of its own.

    It takes one image too, [height, width, channels], so that it serves as a set's `prepare`.

    Args:
      transforms: one or more, the first applied first, such as an image set's `prepare`.
    Raises:
      ValueError: there are none.
    Example:
      >>> view = compose(scale, resize((9, 9)), random_crop((8, 8)), random_flip)
      >>> images = np.zeros((2, 6, 6, 1), np.uint8)
      >>> view(jax.random.key(0), images).shape  # inside the compiled step
      (2, 8, 8, 1)
      >>> digits = load("digits", "train")
      >>> flipped = digits._replace(prepare=compose(digits.prepare, random_flip))
      >>> flipped.prepare(jax.random.key(0), digits.images[0]).shape
      (8, 8, 1)
    """
    if not transforms:
        raise ValueError("transforms: got none, expected at least one")

    def composed(key: Key, images: Array | np.ndarray) -> Array:
        alone = jnp.ndim(images) == 3
        x = jnp.asarray(images)[None] if alone else jnp.asarray(images)
        for each, transform in zip(jax.random.split(key, len(transforms)), transforms, strict=True):
            x = transform(each, x)
        return x[0] if alone else x

    return composed


@known_by_call
def resize(size: tuple[int, int]) -> Transform:
    """Returns the bilinear resizing to (height, width), smoothed where it makes smaller.

    Raises:
      ValueError: size is no pair, or below one; at the call, if images are no batch of floats.
    Example:
      >>> resize((4, 6))(jax.random.key(0), jnp.zeros((2, 8, 8, 3))).shape  # the key is ignored
      (2, 4, 6, 3)
    """
    height, width = height_and_width(size)

    def resized(
        key: Key, images: Shaped[Array | np.ndarray, "..."]
    ) -> Float[Array, "n height width c"]:
        batch_of_images(images)
        if not jnp.issubdtype(images.dtype, jnp.floating):
            raise ValueError(f"images: got {images.dtype}, expected floats: prepare them first")
        shape = (len(images), height, width, images.shape[-1])
        return jax.image.resize(images, shape, "bilinear")

    return resized


@known_by_call
def random_crop(size: tuple[int, int]) -> Transform:
    """Returns the cut of a window of (height, width) out of each image, anywhere, alike likely.

    Raises:
      ValueError: size is no pair, or below one; at the call, if an image is smaller, or images are
        no batch.
    Example:
      >>> images = jnp.arange(2 * 9).reshape(2, 3, 3, 1)
      >>> random_crop((2, 2))(jax.random.key(0), images).shape
      (2, 2, 2, 1)
    """
    height, width = height_and_width(size)

    def cropped(
        key: Key, images: Shaped[Array | np.ndarray, "..."]
    ) -> Shaped[Array, "n height width c"]:
        batch_of_images(images)
        down, across = images.shape[1] - height, images.shape[2] - width
        if down < 0 or across < 0:
            raise ValueError(
                f"size: got {(height, width)}, expected at most {images.shape[1:3]}, the images'"
            )
        corners = jax.random.randint(key, (len(images), 2), 0, jnp.array([down + 1, across + 1]))

        def one(image: Array, corner: Array) -> Array:
            start = (corner[0], corner[1], 0)
            return jax.lax.dynamic_slice(image, start, (height, width, image.shape[-1]))

        return jax.vmap(one)(jnp.asarray(images), corners)

    return cropped


def random_flip(key: Key, images: Shaped[Array | np.ndarray, "..."]) -> Shaped[Array, "n h w c"]:
    """Mirrors each image left to right with probability one half.

    Raises:
      ValueError: images are no batch of images.
    Example:
      >>> images = jnp.tile(jnp.arange(3.0).reshape(1, 1, 3, 1), (100, 1, 1, 1))
      >>> sorted(
      ...     {tuple(row) for row in random_flip(jax.random.key(0), images)[:, 0, :, 0].tolist()}
      ... )
      [(0.0, 1.0, 2.0), (2.0, 1.0, 0.0)]
    """
    batch_of_images(images)
    mirrored = jax.random.bernoulli(key, shape=(len(images), 1, 1, 1))
    return jnp.where(mirrored, images[:, :, ::-1], images)


def height_and_width(size: Any) -> tuple[int, int]:
    """Returns two ints of at least 1, and refuses what is no pair, such as one number for both."""
    try:
        height, width = size
    except (TypeError, ValueError):
        raise ValueError(f"size: got {size!r}, expected (height, width)") from None
    return at_least("size", height, 1), at_least("size", width, 1)


def batch_of_images(images: ArrayLike) -> None:
    """Refuses what has not four axes: of one image the axes would be taken for others."""
    if jnp.ndim(images) != 4:
        raise ValueError(
            f"images: got shape {jnp.shape(images)}, expected (n, height, width, channels)"
        )

"""Random views of a batch of images, made inside the compiled step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from jaxgen.checks import height_and_width
from jaxgen.types import Key
from jaxgen.values import known_by_call

Transform: TypeAlias = Callable[[Key, Array], Array]
"""`(key, images) -> images`, [n, height, width, channels], of any type; the key may be ignored."""


@known_by_call
def compose(*transforms: Transform) -> Transform:
    """Returns the transforms one after another, each with a key of its own.

    Args:
      transforms: one or more, the first applied first, such as an image set's `prepare`.
    Raises:
      ValueError: there are none.
    Example:
      view = compose(horses.prepare, resize((286, 286)), random_crop((256, 256)), random_flip)
      x = view(key, jnp.asarray(horses.images[:4]))  # in the compiled step
    """
    if not transforms:
        raise ValueError("transforms: got none, expected at least one")

    def composed(key: Key, images: Array) -> Array:
        keys = jax.random.split(key, len(transforms))
        for each, transform in zip(keys, transforms, strict=True):
            images = transform(each, images)
        return images

    return composed


@known_by_call
def resize(size: tuple[int, int]) -> Transform:
    """Returns the bilinear resizing to (height, width), smoothed where it makes smaller.

    Raises:
      ValueError: size is no pair, or below one; at the call, if the images are no floats.
    Example:
      resize((286, 286))(key, x)
    """
    height, width = height_and_width("size", size)

    def resized(key: Key, images: Shaped[Array, "n h w c"]) -> Float[Array, "n height width c"]:
        if not jnp.issubdtype(images.dtype, jnp.floating):
            raise ValueError(f"images: got {images.dtype}, expected floats: prepare them first")
        shape = (len(images), height, width, images.shape[-1])
        return jax.image.resize(images, shape, "bilinear")

    return resized


@known_by_call
def random_crop(size: tuple[int, int]) -> Transform:
    """Returns the cut of a window of (height, width) out of each image, anywhere, alike likely.

    Raises:
      ValueError: size is no pair, or below one; at the call, if an image is smaller.
    Example:
      random_crop((256, 256))(key, x)
    """
    height, width = height_and_width("size", size)

    def cropped(key: Key, images: Shaped[Array, "n h w c"]) -> Shaped[Array, "n height width c"]:
        down, across = images.shape[1] - height, images.shape[2] - width
        if down < 0 or across < 0:
            raise ValueError(
                f"size: got {(height, width)}, expected at most {images.shape[1:3]}, the images'"
            )
        corners = jax.random.randint(key, (len(images), 2), 0, jnp.array([down + 1, across + 1]))

        def one(image: Array, corner: Array) -> Array:
            start = (corner[0], corner[1], 0)
            return jax.lax.dynamic_slice(image, start, (height, width, image.shape[-1]))

        return jax.vmap(one)(images, corners)

    return cropped


def random_flip(key: Key, images: Shaped[Array, "n h w c"]) -> Shaped[Array, "n h w c"]:
    """Mirrors each image left to right with probability one half.

    Example:
      random_flip(key, x)
    """
    mirrored = jax.random.bernoulli(key, shape=(len(images), 1, 1, 1))
    return jnp.where(mirrored, images[:, :, ::-1], images)

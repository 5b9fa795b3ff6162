"""8-bit pixels to floats, inside the compiled step: images stay uint8 until they are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped, UInt16

from jaxgen.checks import at_least
from jaxgen.types import Key
from jaxgen.values import known_by_call

Pixels: TypeAlias = Shaped[Array | np.ndarray, "*shape"]
"""uint8 pixels, 0 to 255, of any shape."""

Prepare: TypeAlias = Callable[..., Array]
"""`(key, pixels) -> floats in [0, 1]` of the same shape; the key is free to be ignored."""


def _uint8(images: Pixels) -> Array:
    if images.dtype != jnp.uint8:
        raise ValueError(
            f"images: got {images.dtype}, expected uint8 pixels (0 to 255): they are scaled here, "
            "once, inside the compiled step"
        )
    return jnp.asarray(images)


def _random_uint16(key: Key, shape: tuple[int, ...]) -> UInt16[Array, "..."]:
    """Two numbers from every 32 random bits: about half the time of asking JAX for uint16."""
    size = int(np.prod(shape))
    words = jax.random.bits(key, ((size + 1) // 2,), jnp.uint32)
    halves = jax.lax.bitcast_convert_type(words, jnp.uint16)
    return halves.reshape(-1)[:size].reshape(shape)


def scale(key: Key, images: Pixels) -> Float[Array, "*shape"]:
    """Returns images / 255: gray levels in [0, 1], drawing nothing.

    Raises:
      ValueError: images are not uint8.
    Example:
      >>> scale(jax.random.key(0), jnp.array([0, 51, 255], jnp.uint8))  # the key is ignored
      Array([0. , 0.2, 1. ], dtype=float32)
    """
    return _uint8(images).astype(jnp.float32) / 255.0


def threshold(key: Key, images: Pixels) -> Float[Array, "*shape"]:
    """Returns 1 where a pixel is 128 or more and 0 elsewhere, drawing nothing.

    Raises:
      ValueError: images are not uint8.
    Example:
      >>> threshold(jax.random.key(0), jnp.array([127, 128], jnp.uint8))  # the key is ignored
      Array([0., 1.], dtype=float32)
    """
    return (_uint8(images) >= 128).astype(jnp.float32)


def dynamic(key: Key, images: Pixels) -> Float[Array, "*shape"]:
    """Returns a fresh draw of Bernoulli(images / 255) for every pixel.

    Sixteen random bits a pixel are compared with round(65536 · pixel / 255), so 0 and 255 are
    certain and any other probability is within 2**-17 of its own.

    Raises:
      ValueError: images are not uint8.
    Example:
      >>> images = jnp.full((1, 100, 100, 1), 51, jnp.uint8)  # one with probability 51/255 = .2
      >>> print(dynamic(jax.random.key(0), images).mean())
      0.2
    Source: Salakhutdinov & Murray (2008); drawn anew at every use as in Burda et al. (2016).
    """
    pixels = _uint8(images).astype(jnp.uint32)
    # 65536/255 = 257 + 1/255, and pixel/255 rounds to one from 128 on: exact in integers.
    thresholds = 257 * pixels + (pixels >> 7)
    return (_random_uint16(key, images.shape) < thresholds).astype(jnp.float32)


@known_by_call
def dequantizer(levels: int) -> Prepare:
    """Returns the `prepare` of continuous likelihoods: (k + u) / levels in [0, 1), u uniform.

    k is the pixel's level, the integer nearest to pixel · (levels - 1) / 255. The mean log density
    of the result bounds the log probability of the levels from below, once the change of unit is
    counted: log P(k) >= E[log p(x)] - dimensions · log(levels), in nats. Noise of narrower bins
    than the data's leaves gaps between them, which no model knows: that bound is loose.

    u is a multiple of 2**-16, so that the result is never 1, and of 256 levels exact in float32.

    Args:
      levels: that the pixels take, `ImageSet.levels`, from 2 to 256.
    Raises:
      ValueError: levels is out of range; the images that it is given are not uint8.
    Example:
      >>> digits = load("digits", "train")
      >>> images = jnp.full((1, 8, 8, 1), 255, jnp.uint8)  # white, level 16 of 0 to 16
      >>> x = dequantizer(digits.levels)(jax.random.key(0), images)
      >>> bool((x >= 16 / 17).all() and (x < 1).all())
      True
    Source: Theis et al. (2016), section 3.1.
    """
    levels = number_of_levels(levels)

    def prepare(key: Key, images: Pixels) -> Float[Array, "*shape"]:
        pixels = _uint8(images).astype(jnp.uint32)
        k = (2 * (levels - 1) * pixels + 255) // 510  # rounds to the nearest, in integers
        noisy = ((k << 16) + _random_uint16(key, images.shape)).astype(jnp.float32)
        return noisy / (levels * 2.0**16)

    return prepare


def number_of_levels(levels: int) -> int:
    """Returns `levels` if 8-bit pixels can take so many."""
    levels = at_least("levels", levels, 2)
    if levels > 256:
        raise ValueError(f"levels: got {levels}, expected at most 256, those of 8-bit pixels")
    return levels


BINARIZATIONS: dict[str, Prepare] = {"none": scale, "threshold": threshold, "dynamic": dynamic}
"""What `binarization` may be. Gray images are never binarized unless that is asked for."""

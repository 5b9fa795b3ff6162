"""Random changes that a gradient passes through, for a critic that has few images to see.

They keep the shape, and every image has a draw of its own. Both sides of a game get the same: see
`jaxgen.objectives.augmented`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import not_negative
from jaxgen.data.augment import Transform, random_crop
from jaxgen.types import Key
from jaxgen.values import known_by_call


@known_by_call
def random_translation(share: float = 0.125, *, fill: float = 0.0) -> Transform:
    """Moves images by whole pixels, up to `share` of height and width; all moves are as likely.

    Args:
      share: of height and of width, rounded to pixels.
      fill: what comes in from outside; gray, .5, in the paper's code.
    Raises:
      ValueError: share is outside [0, 1]; in use, if images are no floats of four axes.
    Example:
      >>> images = jnp.ones((5, 28, 28, 1))
      >>> random_translation(0.125)(jax.random.key(0), images).shape  # up to 4 pixels, each way
      (5, 28, 28, 1)
    Source: Zhao et al. (2020), "Differentiable augmentation for data-efficient GAN training",
      section 3.2.
    """
    _check_share(share)

    def augment(key: Key, images: Array) -> Array:
        _check_images(images)
        height, width = images.shape[1:3]
        most = [_pixels(size, share) for size in (height, width)]
        padded = jnp.pad(images, [(0, 0), *((m, m) for m in most), (0, 0)], constant_values=fill)
        return random_crop((height, width))(key, padded)

    return augment


@known_by_call
def random_cutout(share: float = 0.5, *, fill: float = 0.0) -> Transform:
    """Blots out a rectangle of `share` of height and width; its middle may be anywhere.

    Args:
      share: of height and of width, rounded to pixels.
      fill: of the rectangle; gray, .5, in the paper's code.
    Raises:
      ValueError: as `random_translation`.
    Example:
      >>> view = random_cutout(0.5)(jax.random.key(0), jnp.ones((100, 8, 8, 1)))
      >>> int(
      ...     (view == 0).sum(axis=(1, 2, 3)).max()
      ... )  # a square of 4x4 at most: its middle is anywhere
      16
    Source: Zhao et al. (2020), "Differentiable augmentation for data-efficient GAN training",
      section 3.2.
    """
    _check_share(share)

    def augment(key: Key, images: Array) -> Array:
        _check_images(images)
        inside = [
            _interval(key, len(images), size, _pixels(size, share))
            for key, size in zip(jax.random.split(key), images.shape[1:3], strict=True)
        ]
        hole = inside[0][:, :, None, None] & inside[1][:, None, :, None]
        return jnp.where(hole, jnp.asarray(fill, images.dtype), images)

    return augment


@known_by_call
def random_color(
    *, brightness: float = 0.25, saturation: float = 1.0, contrast: float = 0.5
) -> Transform:
    """Adds a number, then stretches each pixel about its gray, then the image about its mean.

    Numbers are uniform within ± `brightness`, factors within 1 ± `saturation` and 1 ± `contrast`.
    Pixels may leave [0, 1]: cut there, they would have no slope. The defaults are the paper's, of
    images in [0, 1].

    Args:
      brightness: at most added.
      saturation: at most added to the factor of colors.
      contrast: at most added to the factor of the whole.
    Raises:
      ValueError: one of them is negative; in use, if images are no floats of four axes.
    Example:
      >>> images = jax.random.uniform(jax.random.key(0), (2, 8, 8, 3))
      >>> view = random_color(brightness=0.0)(jax.random.key(1), images)
      >>> print(jnp.abs(view.mean(axis=(1, 2, 3)) - images.mean(axis=(1, 2, 3))).max().round(4))
      0.0
    Source: Zhao et al. (2020), "Differentiable augmentation for data-efficient GAN training",
      section 3.2.
    """
    not_negative("brightness", brightness)
    not_negative("saturation", saturation)
    not_negative("contrast", contrast)

    def augment(key: Key, images: Array) -> Array:
        _check_images(images)
        x, keys = images, jax.random.split(key, 3)
        draws = [jax.random.uniform(k, (len(x), 1, 1, 1), x.dtype, -1.0, 1.0) for k in keys]
        x = x + brightness * draws[0]
        x = x + saturation * draws[1] * (x - jnp.mean(x, axis=-1, keepdims=True))
        return x + contrast * draws[2] * (x - jnp.mean(x, axis=(1, 2, 3), keepdims=True))

    return augment


def _interval(key: Key, count: int, size: int, length: int) -> Array:
    """Tells of every pixel of a row whether it is in a random interval, [count, size]."""
    middles = jax.random.randint(key, (count, 1), 0, size + 1 - length % 2)
    distance = jnp.arange(size) - (middles - length // 2)
    return (distance >= 0) & (distance < length)


def _pixels(size: int, share: float) -> int:
    return int(size * share + 0.5)


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"share: got {share}, expected a number in [0, 1]")


def _check_images(images: Array) -> None:
    if images.ndim != 4 or not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(
            f"images: got {images.dtype} of shape {images.shape}, expected floats of shape "
            "(n, height, width, channels)"
        )

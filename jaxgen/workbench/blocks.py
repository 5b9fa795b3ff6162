"""What is measured of every image, block by block, so that any number of them fits in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8

from jaxgen.numerics import highest_precision
from jaxgen.types import Key, Params
from jaxgen.workbench.progress_bar import progress


def map_in_blocks(
    measure: Callable[[Key, Array], Any],
    key: Key,
    images: UInt8[np.ndarray, "n height width channels"],
    message: str,
    *,
    block_size: int = 500,
) -> Any:
    """Returns `measure` of all the images, in float64 on the host, block by block with progress.

    Args:
      measure: `(key, images) -> ` a pytree of numbers per image, each with a leading axis; compiled
        by the caller (once for every length of a block, of which there are at most two). Products
        are at the highest precision that the device has: what is measured is reported.
      message: shown beside the progress.
      block_size: images in a block, about.
    Example:
      >>> of_each = jax.jit(lambda key, images: {"brightness": images.mean(axis=(1, 2, 3))})
      >>> found = map_in_blocks(of_each, key, images.test.images, "brightness")
      >>> found["brightness"].shape
      (100,)
    """
    measure = highest_precision(measure)
    blocks = np.array_split(images, max(1, round(len(images) / block_size)))
    rows = []
    with progress(len(images), unit="image") as advance:
        for i, block in enumerate(blocks):
            rows.append(jax.device_get(measure(jax.random.fold_in(key, i), jnp.asarray(block))))
            advance(len(block), message)
    return jax.tree.map(lambda *arrays: np.concatenate(arrays).astype(np.float64), *rows)


def image_by_image(
    one: Callable[[Params, Key, Any], Any], *, batch_size: int = 10
) -> Callable[[Params, Key, Any], Any]:
    """Returns `(params, key, images) -> one(params, key, image)` of every image, compiled.

    Products are at the highest precision, as in `map_in_blocks`. Image i of n has the i-th key of
    `jax.random.split(key, n)`. They may be a pytree: each image with what else is known of it.

    Args:
      one: of one image, a pytree of arrays.
      batch_size: images at once in memory.
    Example:
      >>> measure = image_by_image(lambda params, key, image: params * image.mean())
      >>> measure(2.0, key, jnp.ones((3, 8, 8, 1)))
      Array([2., 2., 2.], dtype=float32)
    """

    @jax.jit
    @highest_precision
    def measure(params: Params, key: Key, images: Any) -> Any:
        keys = jax.random.split(key, len(jax.tree.leaves(images)[0]))
        return jax.lax.map(lambda of: one(params, *of), (keys, images), batch_size=batch_size)

    return measure

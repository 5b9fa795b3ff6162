"""What is measured of every image, in blocks, so that any number of them fits in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8

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
        by the caller (once for every length of a block, of which there are at most two).
      message: shown beside the progress.
      block_size: images in a block, about.
    Example:
      test = map_in_blocks(jax.jit(numbers), key, test.images, "test NLL")
      test["nll"].mean()
    """
    blocks = np.array_split(images, max(1, round(len(images) / block_size)))
    rows = []
    with progress(len(blocks), unit="block") as advance:
        for i, block in enumerate(blocks):
            rows.append(jax.device_get(measure(jax.random.fold_in(key, i), jnp.asarray(block))))
            advance(1, message)
    return jax.tree.map(lambda *arrays: np.concatenate(arrays).astype(np.float64), *rows)


def on_each(
    one: Callable[[Params, Key, Any], Any], *, batch_size: int = 10
) -> Callable[[Params, Key, Any], Any]:
    """Returns the compiled `(params, key, data) -> ` what `one` says of each of the data, stacked.

    Datapoint i of n has the i-th key of `jax.random.split(key, n)`, as in `mean_over_batch`.

    Args:
      one: `(params, key, datapoint) -> ` a pytree of numbers.
      batch_size: of so many at a time, all that is in memory at once.
    Example:
      nll = on_each(lambda params, key, x: -log_marginal(key, ..., 5000))
      test = map_in_blocks(partial(nll, params), key, test.images, "test NLL")
    """

    @jax.jit
    def each(params: Params, key: Key, data: Any) -> Any:
        keys = jax.random.split(key, len(jax.tree.leaves(data)[0]))
        return jax.lax.map(lambda pair: one(params, *pair), (keys, data), batch_size=batch_size)

    return each

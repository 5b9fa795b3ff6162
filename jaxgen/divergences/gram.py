"""Products with a Gram matrix that is never held as a whole."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.checks import at_least
from jaxgen.divergences.kernels import Kernel


def gram_product(
    kernel: Kernel,
    rows: Float[Array, "n dims"],
    columns: Float[Array, "m dims"],
    weights: Float[Array, "m r"],
    *,
    own: Int[Array, "n"] | None = None,
    block_size: int = 1024,
) -> Float[Array, "n r"]:
    """Returns sum_j k(rows[i], columns[j]) weights[j], block by block.

    Memory grows with n + m, not n m, in the gradient too: its pass computes each block again.

    Args:
      own: for each row the index of a column to leave out (its own, in a sum over others), or -1.
      block_size: rows and columns of a block.
    Raises:
      ValueError: `kernel` returns no Gram matrix, or block_size is below one.
    Example:
      gram_product(rbf(1.0), xs, ys, jnp.full((len(ys), 1), 1 / len(ys)))  # mean over ys
    """
    block_size = at_least("block_size", block_size, 1)
    own = jnp.full(len(rows), -1) if own is None else own
    indices = jnp.arange(len(columns))

    def product(rows, own, columns, weights, indices):
        gram = kernel(rows, columns)
        if gram.shape != (len(rows), len(columns)):
            raise ValueError(
                f"kernel: got a result of shape {gram.shape} for {len(rows)} rows and "
                f"{len(columns)} columns, expected {(len(rows), len(columns))}"
            )
        others = jnp.where(own[:, None] == indices, 0.0, gram)
        return jnp.matmul(others, weights, precision=jax.lax.Precision.HIGHEST)

    if max(len(rows), len(columns)) <= block_size:
        return product(rows, own, columns, weights, indices)
    row_blocks = (_blocks(rows, block_size), _blocks(own, block_size))
    # The columns that fill up the last block are true ones with a weight of zero.
    column_blocks = (
        _blocks(columns, block_size),
        _blocks(weights, block_size, mode="constant"),
        _blocks(indices, block_size),
    )

    def over_columns(row_block):
        def add(total, column_block):
            return total + jax.checkpoint(product)(*row_block, *column_block), None

        zeros = jnp.zeros((row_block[0].shape[0], weights.shape[1]), weights.dtype)
        return jax.lax.scan(add, zeros, column_blocks)[0]

    return jax.lax.map(over_columns, row_blocks).reshape(-1, weights.shape[1])[: len(rows)]


def _blocks(array: Array, size: int, mode: str = "edge") -> Array:
    """Returns `array` as [blocks, size, ...], filled up at the end."""
    size = min(size, len(array))
    missing = -len(array) % size
    filled = jnp.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1), mode=mode)
    return filled.reshape(-1, size, *array.shape[1:])

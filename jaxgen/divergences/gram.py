"""Products with a Gram matrix that is never held as a whole."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from jaxgen.checks import at_least
from jaxgen.divergences.kernels import Kernel, as_kernel, gram_matrix
from jaxgen.numerics import at_least_float32
from jaxgen.values import known_by_call

GramProduct: TypeAlias = Callable[..., Float[Array, "n r"]]
"""What has the signature of `gram_product`."""


def gram_product(
    kernel: Kernel,
    rows: Float[ArrayLike, "n dims"],
    columns: Float[ArrayLike, "m dims"],
    weights: Float[ArrayLike, "m r"],
    *,
    own: Int[ArrayLike, "n"] | None = None,
    block_size: int = 1024,
) -> Float[Array, "n r"]:
    """Returns sum_j k(rows[i], columns[j]) weights[j], block by block.

    Memory grows with n + m, not n m, in the gradient too: its pass computes each block again.

    Args:
      own: for each row the index of a column to leave out (its own, in a sum over others), or -1.
      block_size: rows and columns of a block.
    Raises:
      ValueError: `kernel` returns no Gram matrix, the weights are not of the columns, or block_size
        is below one.
    Example:
      >>> xs, ys = jnp.zeros((2, 3)), jnp.ones((4, 3))
      >>> gram_product(rbf(1.0), xs, ys, jnp.full((4, 1), 1 / 4))[:, 0]  # mean over ys: exp(-3/2)
      Array([0.2231, 0.2231], dtype=float32)
    """
    arguments = _checked(rows, columns, weights, own)
    block_size = at_least("block_size", block_size, 1)
    return _in_blocks(as_kernel(kernel), *arguments, block_size=block_size)


def _checked(
    rows: ArrayLike, columns: ArrayLike, weights: ArrayLike, own: ArrayLike | None
) -> tuple[Array, Array, Array, Array]:
    rows, columns, weights = (
        at_least_float32(name, array)
        for name, array in (("rows", rows), ("columns", columns), ("weights", weights))
    )
    if weights.ndim != 2 or len(weights) != len(columns):
        raise ValueError(
            f"weights: got shape {weights.shape}, expected ({len(columns)}, r), one row per column"
        )
    return rows, columns, weights, jnp.full(len(rows), -1) if own is None else jnp.asarray(own)


@partial(jax.jit, static_argnames="block_size", inline=True)
def _in_blocks(
    kernel: Kernel,
    rows: Float[Array, "n dims"],
    columns: Float[Array, "m dims"],
    weights: Float[Array, "m r"],
    own: Int[Array, "n"],
    *,
    block_size: int,
) -> Float[Array, "n r"]:
    indices = jnp.arange(len(columns))

    def product(rows, own, columns, weights, indices):
        gram = gram_matrix(kernel, rows, columns)
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


@known_by_call
def sharded_gram_product(mesh: Mesh) -> GramProduct:
    """Returns `gram_product` with the rows spread over the axis "data" of `mesh`.

    Each device takes its rows against all columns, a block at a time, and the result lies split by
    rows. The answer is that of one device: every row's sum is taken in the same order.

    Raises:
      ValueError: `mesh` has no axis "data".
    Example:
      >>> xs, ys = jnp.zeros((2, 3)), jnp.ones((4, 3))
      >>> product = sharded_gram_product(
      ...     data_mesh(1)
      ... )  # a mesh of one device, or of as many as you have
      >>> float(mmd_unbiased(xs, ys, rbf(1.0), product=product).value)  # 2 - 2 exp(-3/2)
      1.5537
    """
    if "data" not in mesh.shape:
        raise ValueError(f'mesh: got the axes {mesh.axis_names}, expected one named "data"')

    def product(kernel, rows, columns, weights, *, own=None, block_size=1024):
        arguments = _checked(rows, columns, weights, own)
        block_size = at_least("block_size", block_size, 1)
        return _spread(as_kernel(kernel), *arguments, block_size=block_size, mesh=mesh)

    return product


@partial(jax.jit, static_argnames=("block_size", "mesh"), inline=True)
def _spread(
    kernel: Kernel,
    rows: Float[Array, "n dims"],
    columns: Float[Array, "m dims"],
    weights: Float[Array, "m r"],
    own: Int[Array, "n"],
    *,
    block_size: int,
    mesh: Mesh,
) -> Float[Array, "n r"]:
    split, whole = PartitionSpec("data"), PartitionSpec()
    missing = -len(rows) % mesh.shape["data"]
    of_shards = jax.shard_map(
        partial(_in_blocks, block_size=block_size),
        mesh=mesh,
        in_specs=(whole, split, whole, whole, split),
        out_specs=split,
        check_vma=False,  # the scan's sum begins with zeros that no device calls its own
    )
    sums = of_shards(kernel, _filled(rows, missing), columns, weights, _filled(own, missing))
    return sums[: len(rows)]


def _filled(array: Array, missing: int, mode: str = "edge") -> Array:
    """Returns `array` with `missing` more entries: its last again, or zeros in mode "constant"."""
    return jnp.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1), mode=mode)


def _blocks(array: Array, size: int, mode: str = "edge") -> Array:
    """Returns `array` as [blocks, size, ...], filled up at the end."""
    size = min(size, len(array))
    return _filled(array, -len(array) % size, mode).reshape(-1, size, *array.shape[1:])

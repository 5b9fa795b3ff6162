"""Distances to nearest neighbours, a block of rows at a time."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxgen.checks import at_least
from jaxgen.divergences.kernels import squared_distances
from jaxgen.numerics import widened


def squared_radii(
    points: Float[Array, "n dims"], num_neighbours: int, *, block_size: int = 256
) -> Float[Array, "n"]:
    """Returns the squared distance of each point to its k-th nearest other.

    A point is left out of its own neighbours by its place, so a second point at the same place is
    a neighbour at distance zero.

    Args:
      num_neighbours: k.
      block_size: points at a time; memory grows with it and with n.
    Raises:
      ValueError: there are no more than k points, or a count is below one.
    Example:
      squared_radii(features, 5)
    """
    k = at_least("num_neighbours", num_neighbours, 1)
    if len(points) <= k:
        raise ValueError(f"num_neighbours: got {k} of {len(points)} points, expected fewer")

    def of_one(indexed: tuple[Array, Array]) -> Array:
        index, point = indexed
        squares = squared_distances(point[None], points)[0].at[index].set(jnp.inf)

        def without_nearest(_: Array, squares: Array) -> Array:
            return squares.at[jnp.argmin(squares)].set(jnp.inf)

        # On a CPU top_k sorts the whole row: ten times slower than k minima.
        return jnp.min(jax.lax.fori_loop(0, k - 1, without_nearest, squares))

    block_size = at_least("block_size", block_size, 1)
    return jax.lax.map(of_one, (jnp.arange(len(points)), points), batch_size=block_size)


def squared_distance_to(
    points: Float[Array, "n dims"], queries: Float[Array, "m dims"], *, block_size: int = 256
) -> Float[Array, "m"]:
    """Returns the squared distance of each query to the nearest of the points.

    Args:
      block_size: queries at a time; memory grows with it and with n.
    Raises:
      ValueError: block_size is below one.
    Example:
      squared_distance_to(train, samples)
    """
    block_size = at_least("block_size", block_size, 1)
    return jax.lax.map(
        lambda query: jnp.min(squared_distances(query[None], points)),
        queries,
        batch_size=block_size,
    )


def matrices(**sets: Num[Array, "..."]) -> list[Float[Array, "_ dims"]]:
    """Returns the sets in float32 at least, provided that all are matrices of as many columns.

    Raises:
      ValueError: one is not a matrix with as many columns as the first, is empty or is not of
        floating point; the message names it.
    Example:
      train, samples = matrices(train=train, samples=samples)
    """
    (first, reference), *_ = sets.items()
    for name, array in sets.items():
        if array.ndim != 2 or not array.size or array.shape[1] != reference.shape[-1]:
            like = "dims" if name == first else f"{reference.shape[-1]}, as {first} has"
            raise ValueError(f"{name}: got shape {array.shape}, expected (n >= 1, {like})")
    return [widened(name, array) for name, array in sets.items()]

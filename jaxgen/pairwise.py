"""Distances of all pairs of samples, nearest neighbors in blocks of rows, and checked samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxgen.boundary import checked
from jaxgen.checks import at_least
from jaxgen.numerics import at_least_float32

FEW_DIMS = 16
"""Up to here differences cost no more than a matrix product."""

Samples: TypeAlias = Shaped[Array, "..."] | Shaped[np.ndarray, "..."] | Sequence[Any]
"""A set of samples along the leading axis, [n, ...]: a JAX or NumPy array or a nested list."""


@checked
def sample_sets(minimum: int = 1, /, **sets: Samples) -> list[Float[Array, "_ ..."]]:
    """Returns the sets as arrays of one type, float32 at least, whose samples have one shape.

    Args:
      minimum: samples that each must have.
      sets: by the names that errors call them.
    Raises:
      ValueError: a set is no array or list, is not of floating point (pixels in bytes are on
        another scale than images in [0, 1]), has fewer than `minimum` samples, or its samples have
        not the shape of the first set's.
    Example:
      >>> xs, ys = sample_sets(p_samples=np.zeros((5, 8, 8)), q_samples=jnp.zeros((7, 8, 8)))
      >>> xs.shape, ys.shape
      ((5, 8, 8), (7, 8, 8))
      >>> sample_sets(2, real=jnp.zeros((1, 3)))
      Traceback (most recent call last):
      ValueError: real: got shape (1, 3), expected at least 2 samples along the leading axis
    """
    arrays = {name: at_least_float32(name, samples) for name, samples in sets.items()}
    (first, reference), *_ = arrays.items()
    for name, array in arrays.items():
        if array.ndim == 0 or len(array) < minimum or not array.size:
            raise ValueError(
                f"{name}: got shape {array.shape}, expected at least {minimum} samples along the "
                "leading axis"
            )
        if array.shape[1:] != reference.shape[1:]:
            raise ValueError(
                f"{name}: got samples of shape {array.shape[1:]}, expected {reference.shape[1:]}, "
                f"as {first} has"
            )
    dtype = jnp.result_type(*arrays.values())
    return [array.astype(dtype) for array in arrays.values()]


@checked
def sample_vectors(minimum: int = 1, /, **sets: Samples) -> list[Float[Array, "_ dims"]]:
    """Returns the sets as `sample_sets` does, each sample as a vector: images are flattened.

    Raises:
      ValueError: as `sample_sets`.
    Example:
      >>> (vectors,) = sample_vectors(2, real=jnp.zeros((5, 8, 8)))
      >>> vectors.shape
      (5, 64)
    """
    return [array.reshape(len(array), -1) for array in sample_sets(minimum, **sets)]


@checked
def squared_differences(
    xs: Float[Array, "n dims"], ys: Float[Array, "m dims"]
) -> Float[Array, "n m"]:
    """Returns |x - y|² of every pair from their differences, exact to rounding for near ones.

    Example:
      >>> squared_differences(jnp.zeros((2, 3)), jnp.ones((1, 3))).tolist()
      [[3.0], [3.0]]
    """
    return jnp.sum((xs[:, None] - ys) ** 2, axis=-1)


@checked
def squared_distances(xs: Float[Array, "..."], ys: Float[Array, "..."]) -> Float[Array, "n m"]:
    """Returns |x - y|² of every pair of rows, xs [n, dims] and ys [m, dims].

    In up to 16 dimensions by differences; beyond, by a matrix product about the sample of `ys` that
    is nearest to their mean: rounded as the squared distances from that sample are, and exact where
    all are whole numbers, as bits and counts are.

    Raises:
      ValueError: the two are no matrices of as many columns; `sample_vectors` makes them of images.
    Example:
      >>> squared_distances(jnp.zeros((2, 3)), jnp.ones((1, 3))).tolist()
      [[3.0], [3.0]]
    """
    xs, ys = at_least_float32("xs", xs), at_least_float32("ys", ys)
    if xs.ndim != 2 or ys.ndim != 2 or xs.shape[1] != ys.shape[1]:
        raise ValueError(f"ys: got shapes {xs.shape} and {ys.shape}, expected (n, dims), (m, dims)")
    if xs.shape[1] <= FEW_DIMS:
        return squared_differences(xs, ys)
    held = jax.lax.stop_gradient(ys)
    center = held[jnp.argmin(jnp.sum((held - jnp.mean(held, axis=0)) ** 2, axis=1))]
    xs, ys = xs - center, ys - center
    products = jnp.matmul(xs, ys.T, precision=jax.lax.Precision.HIGHEST)
    squares = jnp.sum(xs**2, axis=1)[:, None] + jnp.sum(ys**2, axis=1)
    gaps = squares - 2 * products
    return jnp.where(gaps <= 16 * jnp.finfo(gaps.dtype).eps * squares, 0.0, gaps)


@checked
def distances(xs: Float[Array, "n dims"], ys: Float[Array, "m dims"]) -> Float[Array, "n m"]:
    """Returns |x - y| of every pair, with gradient zero where the two are equal.

    Example:
      >>> distances(jnp.zeros((2, 4)), jnp.ones((1, 4))).tolist()
      [[2.0], [2.0]]
    """
    squares = squared_distances(xs, ys)
    equal = squares == 0  # and not `> 0`, which would turn NaN into a distance of zero
    return jnp.where(equal, 0.0, jnp.sqrt(jnp.where(equal, 1.0, squares)))


@checked
def map_distances(
    reduce: Callable[..., Any],
    queries: Float[Array, "m dims"],
    points: Float[Array, "n dims"],
    *of_each: Array,
    leave_one_out: bool = False,
    squares: Callable[[Array, Array], Array] = squared_distances,
    block_size: int = 256,
) -> Any:
    """Returns `reduce` of each query's squared distances to all points, in blocks of queries.

    All that looks for neighbors is one such reduction. Memory grows with block_size times n.

    Args:
      reduce: `(squared distances [n], *of_each[i]) -> arrays`, for query i.
      of_each: arrays with one entry per query.
      leave_one_out: whether query i is point i, which is then infinitely far from itself.
      squares: how squared distances are computed.
    Raises:
      ValueError: block_size is below one.
    Example:
      >>> train, test = jnp.array([[0.0], [10.0]]), jnp.array([[1.0], [7.0]])
      >>> map_distances(jnp.min, test, train).tolist()  # squared, to the nearest
      [1.0, 9.0]
    """

    def of_one(row: tuple[Array, ...]) -> Any:
        index, query, *others = row
        found = squares(query[None], points)[0]
        return reduce(found.at[index].set(jnp.inf) if leave_one_out else found, *others)

    rows = (jnp.arange(len(queries)), queries, *of_each)
    return jax.lax.map(of_one, rows, batch_size=at_least("block_size", block_size, 1))


class Nearest(NamedTuple):
    """The nearest point to each query.

    Attributes:
      distance: to it.
      which: its place among the points; the first of several.
    Example:
      >>> found = nearest(jnp.array([[1.0], [7.0]]), jnp.array([[0.0], [10.0]]))
      >>> found.distance.tolist(), found.which.tolist()
      ([1.0, 3.0], [0, 1])
    """

    distance: Float[Array, "m"]
    which: Int[Array, "m"]


@checked
def nearest(queries: Samples, points: Samples, *, block_size: int = 256) -> Nearest:
    """Returns how far each query is from the nearest of the points, and which that is.

    Args:
      queries: [m, ...].
      points: [n, ...].
      block_size: queries at a time; memory grows with it and with n.
    Raises:
      ValueError: samples of unlike shape or not of floating point, or block_size is below one.
    Example:
      >>> samples, train = jnp.array([[1.0], [7.0]]), jnp.array([[0.0], [10.0]])
      >>> train[nearest(samples, train).which].tolist()  # what each sample comes nearest to
      [[0.0], [10.0]]
    """
    return _nearest(*sample_vectors(points=points, queries=queries), block_size=block_size)


@partial(jax.jit, static_argnames="block_size", inline=True)
def _nearest(
    points: Float[Array, "n dims"], queries: Float[Array, "m dims"], *, block_size: int
) -> Nearest:
    def least(squares: Array) -> Nearest:
        return Nearest(jnp.sqrt(jnp.min(squares)), jnp.argmin(squares))

    return map_distances(least, queries, points, block_size=block_size)


@checked
def is_nearest(squares: Float[Array, "... n"]) -> Bool[Array, "... n"]:
    """Returns which points are nearest: of several at the least distance, all.

    The one rule for ties: what is said of the nearest point is a mean over all of them. Distances
    of whole numbers tie exactly (see `squared_distances`).

    Example:
      >>> is_nearest(jnp.array([2.0, 1.0, 1.0])).tolist()
      [False, True, True]
    """
    return squares == jnp.min(squares, axis=-1, keepdims=True)


@checked
@partial(jax.jit, static_argnames=("num_neighbors", "block_size"), inline=True)
def squared_radii(
    points: Float[Array, "n dims"], num_neighbors: int, *, block_size: int = 256
) -> Float[Array, "n"]:
    """Returns the squared distance of each point to its k-th nearest other.

    A point is left out of its own neighbors by its place, so a second point at the same place is
    a neighbor at distance zero.

    Args:
      num_neighbors: k.
      block_size: points at a time; memory grows with it and with n.
    Raises:
      ValueError: there are no more than k points, or a count is below one.
    Example:
      >>> squared_radii(jnp.array([[0.0], [1.0], [5.0]]), 1).tolist()
      [1.0, 1.0, 16.0]
    """
    k = at_least("num_neighbors", num_neighbors, 1)
    if len(points) <= k:
        raise ValueError(f"num_neighbors: got {k} of {len(points)} points, expected fewer")

    def kth_least(squares: Array) -> Array:
        def without_least(_: Array, squares: Array) -> Array:
            return squares.at[jnp.argmin(squares)].set(jnp.inf)

        # On a CPU top_k sorts the whole row: ten times slower than k minima.
        return jnp.min(jax.lax.fori_loop(0, k - 1, without_least, squares))

    return map_distances(kth_least, points, points, leave_one_out=True, block_size=block_size)

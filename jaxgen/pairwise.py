"""Distances of all pairs of samples, nearest neighbors in blocks of rows, and checked samples."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxgen.checks import at_least
from jaxgen.numerics import at_least_float32

FEW_DIMS = 16  # up to here differences cost no more than a matrix product


def squared_distances(
    xs: Float[Array, "n dims"], ys: Float[Array, "m dims"]
) -> Float[Array, "n m"]:
    """Returns |x - y|² of every pair.

    In up to 16 dimensions by differences; beyond, by a matrix product about the mean of `ys`, whose
    rounding is that of the squared distance from that mean.

    Example:
      squared_distances(jnp.zeros((2, 3)), jnp.ones((4, 3)))  # 3 everywhere, shape [2, 4]
    """
    if xs.shape[1] <= FEW_DIMS:
        return jnp.sum((xs[:, None] - ys) ** 2, axis=-1)
    center = jax.lax.stop_gradient(jnp.mean(ys, axis=0))
    xs, ys = xs - center, ys - center
    products = jnp.matmul(xs, ys.T, precision=jax.lax.Precision.HIGHEST)
    squares = jnp.sum(xs**2, axis=1)[:, None] + jnp.sum(ys**2, axis=1)
    gaps = squares - 2 * products
    return jnp.where(gaps <= 16 * jnp.finfo(gaps.dtype).eps * squares, 0.0, gaps)


def distances(xs: Float[Array, "n dims"], ys: Float[Array, "m dims"]) -> Float[Array, "n m"]:
    """Returns |x - y| of every pair, with gradient zero where the two are equal.

    Example:
      distances(jnp.zeros((2, 4)), jnp.ones((3, 4)))  # 2 everywhere, shape [2, 3]
    """
    squares = squared_distances(xs, ys)
    equal = squares == 0  # and not `> 0`, which would turn NaN into a distance of zero
    return jnp.where(equal, 0.0, jnp.sqrt(jnp.where(equal, 1.0, squares)))


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
      squared_radii(features, 5)
    """
    k = at_least("num_neighbors", num_neighbors, 1)
    if len(points) <= k:
        raise ValueError(f"num_neighbors: got {k} of {len(points)} points, expected fewer")

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
    return [at_least_float32(name, array) for name, array in sets.items()]


def vectors(
    p_samples: Num[Array, "n ..."],
    q_samples: Num[Array, "m ..."],
    *,
    minimum: int = 2,
    names: tuple[str, str] = ("p_samples", "q_samples"),
) -> tuple[Float[Array, "n dims"], Float[Array, "m dims"]]:
    """Returns both sets with each sample as a vector, in float32 at least.

    Raises:
      ValueError: a set has fewer than `minimum` samples or is not of floating point (uint8 pixels
        would wrap around), or the two differ in the shape or type of a sample.
    Example:
      vectors(jnp.zeros((5, 8, 8)), jnp.zeros((7, 8, 8)))  # shapes [5, 64] and [7, 64]
    """
    wide = []
    for name, samples in zip(names, (p_samples, q_samples), strict=True):
        wide.append(at_least_float32(name, samples))
        if samples.ndim == 0 or len(samples) < minimum or samples.size == 0:
            raise ValueError(
                f"{name}: got shape {samples.shape}, expected at least {minimum} samples along the "
                "leading axis"
            )
    if p_samples.shape[1:] != q_samples.shape[1:] or p_samples.dtype != q_samples.dtype:
        raise ValueError(
            f"{names[1]}: got {q_samples.dtype} samples of shape {q_samples.shape[1:]}, expected "
            f"{p_samples.dtype} and {p_samples.shape[1:]}, as {names[0]} has"
        )
    xs, ys = (samples.reshape(len(samples), -1) for samples in wide)
    return xs, ys

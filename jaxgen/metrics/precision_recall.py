"""Precision and recall, density and coverage: fidelity and variety apart."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.numerics import all_finite
from jaxgen.pairwise import Samples, map_distances, sample_vectors, squared_radii
from jaxgen.types import Scalar


class PrecisionRecall(NamedTuple):
    """How two sets lie among each other's balls; a sample's ball reaches to its k-th neighbor.

    Attributes:
      precision: share of fakes within some real's ball: fidelity.
      recall: share of reals within some fake's ball: variety.
      density: reals whose ball a fake lies in, over k: fidelity, less swayed by a real that lies
        apart in a large ball; 1 on average where p is q, and it may exceed 1.
      coverage: share of reals with a fake in their ball: variety.
    Example:
      >>> xs = jax.random.normal(jax.random.key(0), (20, 2))
      >>> found = precision_recall(xs, xs + 100)
      >>> float(found.precision), float(found.coverage)
      (0.0, 0.0)
    """

    precision: Scalar
    recall: Scalar
    density: Scalar
    coverage: Scalar


def precision_recall(
    real_features: Samples,
    fake_features: Samples,
    num_neighbors: int = 5,
    *,
    block_size: int = 256,
) -> PrecisionRecall:
    """Returns precision, recall, density and coverage of the fakes.

    Where p is q, coverage is 1 - (n-1)…(n-k) / ((n+m-1)…(n+m-k)) on average, .97 for k = 5 and as
    many fakes as reals, while precision and recall depend on p and n: compare only equal counts,
    with held-out data beside. All are NaN if a feature is not finite.

    Args:
      real_features: of the data, [n, dims].
      fake_features: of the samples, [m, dims].
      num_neighbors: k; 3 for precision and recall, 5 for density and coverage in the sources.
      block_size: samples compared with all others at a time; memory grows with block_size and with
        n + m.
    Raises:
      ValueError: the features differ in dimension, a set has no more than k, or a count is below
        one.
    Example:
      >>> real, fake = jnp.array([[0.0], [1.0], [10.0]]), jnp.array([[0.5], [0.6]])
      >>> found = precision_recall(real, fake, num_neighbors=1)
      >>> float(found.precision), float(found.recall)  # fakes are right, and all in one place
      (1.0, 0.0)
    Source: Kynkäänniemi et al. (2019), "Improved precision and recall metric for assessing
      generative models", section 2; Naeem et al. (2020), "Reliable fidelity and diversity metrics
      for generative models", equations 3 to 5 and 9.
    """
    sets = sample_vectors(real_features=real_features, fake_features=fake_features)
    shares = _shares(
        *sets,
        num_neighbors=at_least("num_neighbors", num_neighbors, 1),
        block_size=at_least("block_size", block_size, 1),
    )
    finite = all_finite(sets)
    return PrecisionRecall(*(jnp.where(finite, share, jnp.nan) for share in shares))


@partial(jax.jit, static_argnames=("num_neighbors", "block_size"), inline=True)
def _shares(
    reals: Float[Array, "n dims"],
    fakes: Float[Array, "m dims"],
    *,
    num_neighbors: int,
    block_size: int,
) -> tuple[Scalar, ...]:
    real_radii, fake_radii = (
        squared_radii(points, num_neighbors, block_size=block_size) for points in (reals, fakes)
    )

    def of_fake(squares: Array) -> tuple[Array, Array]:
        within = squares <= real_radii
        return jnp.any(within), jnp.sum(within) / num_neighbors

    def of_real(squares: Array, radius: Array) -> tuple[Array, Array]:
        return jnp.any(squares <= fake_radii), jnp.any(squares <= radius)

    precise, density = map_distances(of_fake, fakes, reals, block_size=block_size)
    recalled, covered = map_distances(of_real, reals, fakes, real_radii, block_size=block_size)
    means = (jnp.mean(x, dtype=reals.dtype) for x in (precise, recalled, density, covered))
    return tuple(means)

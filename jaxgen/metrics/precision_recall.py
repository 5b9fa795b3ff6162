"""Precision and recall, density and coverage: fidelity and variety apart."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.numerics import all_finite
from jaxgen.pairwise import matrices, squared_distances, squared_radii
from jaxgen.types import Scalar


class PrecisionRecall(NamedTuple):
    """How two sets lie among each other's balls; a sample's ball reaches to its k-th neighbor.

    Attributes:
      precision: share of fakes within some real's ball: fidelity.
      recall: share of reals within some fake's ball: variety.
      density: reals whose ball a fake lies in, over k: fidelity, less swayed by a real that lies
        apart in a large ball; 1 on average where p is q, and it may exceed 1.
      coverage: share of reals with a fake in their ball: variety.
    """

    precision: Scalar
    recall: Scalar
    density: Scalar
    coverage: Scalar


def precision_recall(
    real_features: Float[Array, "..."],
    fake_features: Float[Array, "..."],
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
      ValueError: the features are no matrices of the same dimension, or a set has no more than k.
    Example:
      precision_recall(real_features, fake_features).coverage
    Source: Kynkäänniemi et al. (2019), section 2; Naeem et al. (2020), equations 3 to 5 and 9.
    """
    reals, fakes = matrices(real_features=real_features, fake_features=fake_features)
    # About one center: distances are rounded by the square of what is far from it.
    center = jnp.mean(reals, axis=0)
    reals, fakes = reals - center, fakes - center
    real_radii = squared_radii(reals, num_neighbors, block_size=block_size)
    fake_radii = squared_radii(fakes, num_neighbors, block_size=block_size)

    def of_fake(fake: Array) -> tuple[Array, Array]:
        within = squared_distances(fake[None], reals)[0] <= real_radii
        return jnp.any(within), jnp.sum(within) / num_neighbors

    def of_real(real_and_radius: tuple[Array, Array]) -> tuple[Array, Array]:
        real, radius = real_and_radius
        squares = squared_distances(real[None], fakes)[0]
        return jnp.any(squares <= fake_radii), jnp.any(squares <= radius)

    precise, density = jax.lax.map(of_fake, fakes, batch_size=block_size)
    recalled, covered = jax.lax.map(of_real, (reals, real_radii), batch_size=block_size)
    finite = all_finite((reals, fakes))
    means = (jnp.mean(x, dtype=reals.dtype) for x in (precise, recalled, density, covered))
    return PrecisionRecall(*(jnp.where(finite, mean, jnp.nan) for mean in means))

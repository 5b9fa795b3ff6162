"""The leave-one-out accuracy of the nearest neighbor at telling fakes from reals."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.numerics import all_finite
from jaxgen.pairwise import matrices, squared_distances
from jaxgen.types import Scalar


class NeighborAccuracy(NamedTuple):
    """How often the nearest other sample is of the same kind.

    For equal distributions and n of each kind both are (n - 1) / (2n - 1) on average, just below a
    half. Read them apart: where fakes are few points among many reals, the reals' is high and the
    fakes' low, and the mean of both a half; where fakes copy the reals at hand, both are near zero.

    Attributes:
      real: of the reals.
      fake: of the fakes.
    """

    real: Scalar
    fake: Scalar


def neighbor_accuracy(
    real_features: Float[Array, "..."], fake_features: Float[Array, "..."], *, block_size: int = 256
) -> NeighborAccuracy:
    """Returns the accuracies of the 1-nearest-neighbor classifier, each sample left out in turn.

    Of several at the same least distance each counts in part. NaN if a feature is not finite.

    Args:
      real_features: of the data, [n, dims].
      fake_features: of as many samples, [n, dims].
      block_size: samples compared with all others at a time; memory grows with it and with n.
    Raises:
      ValueError: the features are no matrices of one shape, or block_size is below one.
    Example:
      real, fake = neighbor_accuracy(test_features, sample_features)
    Source: Lopez-Paz & Oquab (2017), section 3; Xu et al. (2018), section 2.
    """
    reals, fakes = matrices(real_features=real_features, fake_features=fake_features)
    n = len(reals)
    if len(fakes) != n:
        raise ValueError(f"fake_features: got {len(fakes)} samples, expected {n}")
    pooled = jnp.concatenate([reals, fakes])

    def real_among_nearest(index: Array) -> Array:
        squares = squared_distances(pooled[index][None], pooled)[0].at[index].set(jnp.inf)
        nearest = squares == jnp.min(squares)
        return jnp.sum(nearest[:n]) / jnp.sum(nearest)

    block_size = at_least("block_size", block_size, 1)
    real = jax.lax.map(real_among_nearest, jnp.arange(2 * n), batch_size=block_size)
    shares = jnp.mean(real[:n]), 1 - jnp.mean(real[n:])
    finite = all_finite(pooled)
    return NeighborAccuracy(*(jnp.where(finite, share, jnp.nan) for share in shares))

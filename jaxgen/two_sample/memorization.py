"""Whether a generator repeats its training set: are samples nearer to it than unseen data are?"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.special import ndtr
from jaxtyping import Array, Bool, Float

from jaxgen.numerics import all_finite
from jaxgen.pairwise import matrices, squared_distance_to
from jaxgen.types import Scalar


class MemorizationTest(NamedTuple):
    """The distances of samples to the training set beside those of held-out data.

    Attributes:
      nearer: chance that a sample is nearer to the training set than a held-out datapoint is, ties
        counted half; .5 for fresh draws, 1 for copies, below .5 for samples far from the data.
      statistic: the standardized Mann-Whitney U of the two sets of distances; about N(0, 1) for
        fresh draws, very negative for copies.
      p_value: the chance of a statistic as low or lower for fresh draws; NaN where `all_finite` is
        false.
      all_finite: whether all the data are.
    """

    nearer: Scalar
    statistic: Scalar
    p_value: Scalar
    all_finite: Bool[Array, ""]


def memorization_test(
    train: Float[Array, "..."],
    held_out: Float[Array, "..."],
    samples: Float[Array, "..."],
    *,
    block_size: int = 256,
) -> MemorizationTest:
    """Returns the test of whether samples lie nearer to the training set than held-out data do.

    The three-sample test over the whole space, its one cell: a generator that copies in one region
    and strays in another can hide. A model that underfits has a p-value near one, which is no
    praise: read it beside precision and coverage.

    Args:
      train: what the generator was trained on, or its features: [n, dims].
      held_out: as train, from the same distribution and unseen: [l, dims].
      samples: of the generator: [m, dims].
      block_size: rows compared with the whole training set at a time.
    Raises:
      ValueError: the sets are no matrices of the same dimension, or block_size is below one.
    Example:
      memorization_test(train_features, test_features, sample_features).p_value
    Source: Meehan et al. (2020), section 3; Mann & Whitney (1947).
    """
    train, held_out, samples = matrices(train=train, held_out=held_out, samples=samples)
    of_held_out = squared_distance_to(train, held_out, block_size=block_size)
    of_samples = squared_distance_to(train, samples, block_size=block_size)
    above, statistic = _mann_whitney(of_samples, of_held_out)
    finite = all_finite((train, held_out, samples))
    nearer, statistic, p_value = (
        jnp.where(finite, x, jnp.nan) for x in (1 - above, statistic, ndtr(statistic))
    )
    return MemorizationTest(nearer, statistic, p_value, finite)


def _mann_whitney(xs: Float[Array, "n"], ys: Float[Array, "m"]) -> tuple[Scalar, Scalar]:
    """Returns U / (n m), the share of pairs with x above y, and U standardized; ties count half."""
    n, m = len(xs), len(ys)
    ordered, pooled = jnp.sort(ys), jnp.sort(jnp.concatenate([xs, ys]))
    below = [jnp.searchsorted(ordered, xs, side) for side in ("left", "right")]
    share = jnp.mean(sum(below), dtype=xs.dtype) / (2 * m)
    # A value that t of the n + m share takes (t² - 1) / ((n + m)² - 1) / (n + m) off per holder.
    first, last = (jnp.searchsorted(pooled, pooled, side) for side in ("left", "right"))
    ties = jnp.mean(((last - first) / (n + m)) ** 2 - 1 / (n + m) ** 2)
    variance = (n + m + 1) / (12 * n * m) * (1 - ties / (1 - 1 / (n + m) ** 2))
    # Where all are tied there is no variance, and no evidence.
    tied = pooled[0] == pooled[-1]
    return share, jnp.where(tied, 0.0, (share - 0.5) / jnp.sqrt(variance))

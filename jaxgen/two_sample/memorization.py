"""Whether a generator repeats its training set: are samples nearer to it than unseen data are?"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.pairwise import Samples, map_distances, sample_vectors
from jaxgen.two_sample.result import TestResult, result
from jaxgen.types import Scalar


def memorization_test(
    train: Samples, held_out: Samples, samples: Samples, *, block_size: int = 256
) -> TestResult:
    """Returns the test of whether samples lie nearer to the training set than held-out data do.

    The statistic is the chance that a sample is nearer to the training set than a held-out
    datapoint is, ties counted half: .5 for fresh draws, 1 for copies, below .5 for samples far from
    the data. The p-value is that of as much or more for fresh draws, by Mann and Whitney's U.

    The three-sample test over the whole space, its one cell: a generator that copies in one region
    and strays in another can hide. A model that underfits has a p-value near one, which is no
    praise: read it beside precision and coverage.

    Args:
      train: what the generator was trained on, or its features: [n, ...].
      held_out: as train, from the same distribution and unseen: [l, ...].
      samples: of the generator: [m, ...].
      block_size: rows compared with the whole training set at a time.
    Raises:
      ValueError: samples of unlike shape or not of floating point, or block_size is below one.
    Example:
      >>> data = jax.random.normal(jax.random.key(0), (300, 2))
      >>> train, held_out = data[:200], data[200:]
      >>> copies = train[:100]
      >>> outcome = memorization_test(train, held_out, copies)
      >>> float(outcome.statistic), bool(outcome.p_value < 1e-6)
      (1.0, True)
    Source: Meehan et al. (2020), "A non-parametric test to detect data-copying in generative
      models", section 3; Mann & Whitney (1947), "On a test of whether one of two random variables
      is stochastically larger than the other".
    """
    sets = sample_vectors(train=train, held_out=held_out, samples=samples)
    nearer, p_value = _compare(*sets, block_size=at_least("block_size", block_size, 1))
    return result(nearer, p_value, sets)


@partial(jax.jit, static_argnames="block_size", inline=True)
def _compare(
    train: Float[Array, "n dims"],
    held_out: Float[Array, "l dims"],
    samples: Float[Array, "m dims"],
    *,
    block_size: int,
) -> tuple[Scalar, Scalar]:
    of_held_out, of_samples = (
        map_distances(jnp.min, queries, train, block_size=block_size)
        for queries in (held_out, samples)
    )
    above, standardized = _mann_whitney(of_samples, of_held_out)
    return 1 - above, ndtr(standardized)


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

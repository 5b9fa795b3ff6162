"""Whether draws follow a log probability: exactly where it can be summed, by a move elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Real
from scipy import stats

LEAST_EXPECTED = 20.0
"""Draws expected in a pool of events: with fewer, the law of chi-square is off in its tail."""


def goodness_of_fit(
    counts: Real[np.ndarray, "events"], probabilities: Float[np.ndarray, "events"]
) -> float:
    """Returns the p-value of Pearson's test of how often each event was drawn.

    Events of few expected draws are pooled, the rarest together. Probabilities are normalized
    first: whether they sum to one is another question.

    Args:
      counts: draws of each event.
      probabilities: what they should be in proportion to.
    Example:
      >>> goodness_of_fit(np.array([480, 520]), np.array([0.5, 0.5]))  # .21
    Source: Pearson (1900); Cochran (1954), "Some methods for strengthening the common chi-square
      tests", on pooling.
    """
    counts, probabilities = np.asarray(counts, np.float64), np.asarray(probabilities, np.float64)
    expected = counts.sum() * probabilities / probabilities.sum()
    order = np.argsort(expected)
    # The pool of an event: how often the sum so far has passed the least number.
    pool = np.floor(np.cumsum(expected[order]) / LEAST_EXPECTED).astype(np.int64)
    _, pool = np.unique(pool, return_inverse=True)
    pooled_counts = np.bincount(pool, counts[order])
    pooled = np.bincount(pool, expected[order])
    if pooled[-1] < LEAST_EXPECTED and len(pooled) > 1:
        pooled_counts[-2] += pooled_counts[-1]
        pooled[-2] += pooled[-1]
        pooled_counts, pooled = pooled_counts[:-1], pooled[:-1]
    if len(pooled) < 2:
        return 1.0
    statistic = np.sum((pooled_counts - pooled) ** 2 / np.maximum(pooled, 1e-300))
    return float(stats.chi2.sf(statistic, len(pooled) - 1))


def stationarity(
    log_prob: Callable[[np.ndarray], np.ndarray],
    xs: Float[np.ndarray, "draws *event"],
    proposed: Float[np.ndarray, "draws *event"],
    uniforms: Float[np.ndarray, "draws"],
) -> float:
    """Returns the p-value of the test that a Metropolis move of every draw changes nothing.

    The move leaves the law of `log_prob` as it is and is reversible: if the draws follow that law,
    the gain in log probability is symmetric about zero. No normalizer is needed, in any dimension.
    A sampler that is too wide gains by the move, one that is too narrow loses. Blind to a weight of
    far modes, between which no move leads.

    Args:
      log_prob: of points, in nats.
      xs: the draws, independent.
      proposed: of a symmetric proposal at each.
      uniforms: to accept by.
    Source: Metropolis et al. (1953); Geweke (2004), "Getting it right", for tests by what a
      transition must leave alone.
    """
    gain = np.asarray(log_prob(proposed), np.float64) - np.asarray(log_prob(xs), np.float64)
    accepted = np.log(uniforms) < gain
    # An odd and bounded function of what is symmetric has mean zero, and a normal law.
    bounded = np.where(accepted, np.clip(gain, -1.0, 1.0), 0.0)
    spread = np.sqrt(np.sum(bounded**2))
    return 1.0 if spread == 0 else float(2 * stats.norm.sf(abs(bounded.sum()) / spread))

"""Two-sample tests of means and variances, and of the linear-time MMD, by their known laws."""

from __future__ import annotations

import jax.numpy as jnp
from jax.scipy.special import betainc
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from jaxgen.divergences import Kernel, mmd_linear
from jaxgen.pairwise import Samples, sample_vectors
from jaxgen.two_sample.nearest_neighbor import shuffled
from jaxgen.two_sample.result import TestResult, result


def mean_test(p_samples: Samples, q_samples: Samples) -> TestResult:
    """Returns Welch's t test of equal means, variances unequal or not.

    Of vectors, every dimension is tested: the statistic is the greatest |t|, the p-value the least
    times the number of dimensions (Bonferroni). Exact for Gaussians of equal variance, nearly so
    for others of some size. It sees no difference but in the mean.

    Raises:
      ValueError: the samples do not match (see `mmd_biased`).
    Example:
      >>> xs = jax.random.normal(jax.random.key(0), (100, 2))
      >>> bool(mean_test(xs + 1, xs).p_value < 0.001)
      True
    Source: Welch (1947), "The generalization of Student's problem when several different population
      variances are involved".
    """
    xs, ys = sample_vectors(2, p_samples=p_samples, q_samples=q_samples)
    xs, ys = xs - xs[0], ys - xs[0]  # where both are one constant, the means differ by no rounding
    spreads = [jnp.var(s, axis=0, ddof=1) / len(s) for s in (xs, ys)]
    total = spreads[0] + spreads[1]
    part = spreads[0] / jnp.where(total > 0, total, 1.0)
    freedom = 1 / (part**2 / (len(xs) - 1) + (1 - part) ** 2 / (len(ys) - 1))
    return _bonferroni(jnp.mean(xs, axis=0) - jnp.mean(ys, axis=0), total, freedom, (xs, ys))


def variance_test(p_samples: Samples, q_samples: Samples) -> TestResult:
    """Returns Brown and Forsythe's test of equal variances, whatever the means.

    Levene's test about the medians: Student's t test of |x - median(x)|, which holds its level
    where the F test of variances does not, without Gaussians. Dimensions as in `mean_test`.

    Raises:
      ValueError: the samples do not match (see `mmd_biased`), or there are fewer than three: two
        lie equally far from their median, whatever the variance.
    Example:
      >>> xs = jax.random.normal(jax.random.key(0), (100, 2))
      >>> bool(variance_test(3 * xs, xs).p_value < 0.001)
      True
    Source: Brown & Forsythe (1974), "Robust tests for the equality of variances".
    """
    xs, ys = sample_vectors(3, p_samples=p_samples, q_samples=q_samples)
    deviations = [jnp.abs(s - jnp.median(s, axis=0)) for s in (xs, ys)]
    freedom = len(xs) + len(ys) - 2
    squares = [jnp.var(d, axis=0) * len(d) for d in deviations]
    gap = jnp.mean(deviations[0], axis=0) - jnp.mean(deviations[1], axis=0)
    total = (squares[0] + squares[1]) / freedom * (1 / len(xs) + 1 / len(ys))
    return _bonferroni(gap, total, jnp.full_like(gap, freedom), (xs, ys))


def mmd_linear_test(p_samples: Samples, q_samples: Samples, kernel: Kernel) -> TestResult:
    """Returns the one-sided normal test of p = q by the linear-time MMD; statistic in std. errors.

    For streams: time and memory linear in n, at the price of power. The samples are paired at
    random, in whatever order they come. The bandwidth must not come from the same samples.

    Raises:
      ValueError: as `mmd_linear`, or fewer than four samples.
    Example:
      >>> xs = jax.random.normal(jax.random.key(0), (1000, 2))
      >>> bool(mmd_linear_test(xs + 1, xs, rbf(1.0)).p_value < 0.001)
      True
    Source: Gretton et al. (2012), "A kernel two-sample test", section 6.
    """
    xs, ys = sample_vectors(4, p_samples=p_samples, q_samples=q_samples)
    terms = mmd_linear(shuffled(xs), shuffled(ys), kernel)
    statistic = _ratio(terms.value, terms.stderr)
    return result(statistic, norm.sf(statistic), (xs, ys))


def _bonferroni(
    gap: Float[Array, "dims"],
    variance: Float[Array, "dims"],
    freedom: Float[Array, "dims"],
    samples: object,
) -> TestResult:
    """Returns the two-sided t test of gap / sqrt(variance) in the dimension where it is least."""
    t = jnp.abs(_ratio(gap, jnp.sqrt(variance)))
    # The incomplete beta function's nearer end: at the other its argument rounds to one, and one
    # less a small tail is zero.
    near = t**2 < 1
    halves = jnp.full_like(t, 0.5), freedom / 2
    tail = betainc(
        jnp.where(near, *halves),
        jnp.where(near, *halves[::-1]),
        jnp.where(near, t**2, freedom) / (freedom + t**2),
    )
    p_values = jnp.where(near, 1 - tail, tail)
    # With so many degrees of freedom it has lost its digits in float32, and the law is normal.
    p_values = jnp.where(freedom > 1e4, 2 * norm.sf(t), p_values)
    return result(jnp.max(t), jnp.minimum(jnp.min(p_values) * len(t), 1.0), samples)


def _ratio(gap: Float[Array, "..."], stderr: Float[Array, "..."]) -> Float[Array, "..."]:
    """Returns gap / stderr, 0 where both are zero: a constant that is the same in both sets."""
    return jnp.where(gap == 0, 0.0, gap / jnp.where(gap == 0, 1.0, stderr))

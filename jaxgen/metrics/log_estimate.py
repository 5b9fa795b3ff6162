"""How far an importance-weighted estimate of log p(x) is from it, where log p(x) is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.array_checks import axis_of_samples
from jaxgen.bounds import IWAE, Bound
from jaxgen.checks import at_least
from jaxgen.metrics.pareto import pareto_k
from jaxgen.numerics import at_least_float32, effective_sample_size
from jaxgen.types import Scalar


class LogEstimate(NamedTuple):
    """What repeated estimates from K samples each say, by K.

    Attributes:
      bias: mean of the estimate less log p(x), in nats.
      variance: of the estimate over repeats, in nats².
      ess: mean effective sample size.
      pareto_k: of the largest K alone, the median over repeats.
    Example:
      >>> found = LogEstimate(
      ...     bias=[-1.2, -0.3], variance=[2.0, 0.4], ess=[1.0, 3.1], pareto_k=0.6
      ... )  # of K = 1 and K = 10
      >>> found.bias[1]
      -0.3
    """

    bias: Float[Array, "counts"]
    variance: Float[Array, "counts"]
    ess: Float[Array, "counts"]
    pareto_k: Scalar


def log_estimate(
    log_errors: Float[Array, "samples"], counts: Sequence[int], bound: Bound = IWAE
) -> LogEstimate:
    """Returns bias and spread of a bound of K samples, for every K, from one pool of samples.

    The pool is cut into sets of K; each gives one estimate of log p(x).

    Args:
      log_errors: log weights less the known log p(x), in nats.
      counts: numbers K of samples; the pool holds two sets of each at least.
      bound: how a set's log weights become one number.
    Raises:
      ValueError: log_errors has not one axis; a count is below one or above half the pool.
    Example:
      >>> weights = jnp.tile(jnp.array([0.5, 1.5]), 100)  # of mean one: log p(x) = 0
      >>> log_estimate(jnp.log(weights), (1, 2)).bias.tolist()  # log(3/4) / 2 for one sample
      [-0.1438, 0.0]
    Source: Burda et al. (2016), "Importance Weighted Autoencoders", theorem 1; Domke & Sheldon
      (2018), "Importance Weighting and Variational Inference", theorem 3, for how the bias ends.
    """
    axis_of_samples("log_errors", log_errors)
    log_errors = at_least_float32("log_errors", log_errors)
    for count in counts:
        if 2 * at_least("counts", count, 1) > len(log_errors):
            raise ValueError(
                f"counts: got {count} of {len(log_errors)} samples, expected two sets at least"
            )

    def in_sets(of: Callable[[Array], Array], count: int) -> Array:
        return jax.vmap(of)(log_errors[: len(log_errors) // count * count].reshape(-1, count))

    estimates = [in_sets(bound, count) for count in counts]
    sizes = [in_sets(effective_sample_size, count) for count in counts]
    return LogEstimate(
        bias=jnp.stack([jnp.mean(of) for of in estimates]),
        variance=jnp.stack([jnp.var(of, ddof=1) for of in estimates]),
        ess=jnp.stack([jnp.mean(of) for of in sizes]),
        # Not the mean of two in the middle, which may be infinite to either side.
        pareto_k=jnp.quantile(in_sets(pareto_k, max(counts)), 0.5, method="lower"),
    )


def log_second_moment(q: distrax.Distribution, target: distrax.Distribution) -> Scalar:
    """Returns log E_q[w²] of the weights w = target / q of two vectors of independent normals.

    It is log(1 + Var(w)), the Rényi divergence of order two of the target from q, in nats; infinite
    where q is too thin, its variance at most half of the target's in some dimension.

    Args:
      q: what is sampled, `Independent(Normal)`, such as `diagonal_normal` makes.
      target: what the weights are for, likewise; the weights are over their mean.
    Example:
      >>> q, target = (
      ...     distrax.Independent(distrax.Normal(jnp.full(1, m), 1.0), 1) for m in (0.0, 2.0)
      ... )
      >>> float(log_second_moment(q, target))  # the squared distance of the means
      4.0
    Source: Gil et al. (2013), "Rényi divergence measures for commonly used univariate continuous
      distributions", table 2.
    """
    spread = 2 * q.variance() - target.variance()
    log_moments = (
        (q.mean() - target.mean()) ** 2 / spread
        + jnp.log(q.variance())
        - 0.5 * jnp.log(target.variance())
        - 0.5 * jnp.log(spread)
    )
    return jnp.sum(jnp.where(spread > 0, log_moments, jnp.inf))

"""Filtering bounds, log p(x_1..T) >= E log Z-hat: what sequential Monte Carlo is climbed by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.inference import (
    Resampling,
    Schedule,
    SMCResult,
    Step,
    UnobservedStep,
    always,
    ess_below,
    multinomial,
    never,
    smc,
    stratified,
    systematic,
)
from jaxgen.types import Key, Scalar


def ignore_resampling(result: SMCResult) -> Scalar:
    """Returns log Z-hat with its gradient along the samples alone.

    Biased wherever particles are resampled, yet the usual choice: the term left out carries most of
    the variance. Source: Maddison et al. (2017b), section 4.

    Example:
      >>> def step(key, z, x):  # bootstrap proposal of a random walk seen in noise
      ...     z = z + jax.random.normal(key)
      ...     return z, z, jax.scipy.stats.norm.logpdf(x, z)
      >>> xs = jnp.array([1.0, 2.0, 3.0])

      >>> result = smc(jax.random.key(0), step, jnp.zeros(()), xs, 16)
      >>> bool(ignore_resampling(result) == result.log_likelihood)
      True
    """
    return result.log_likelihood


def score_resampling(result: SMCResult) -> Scalar:
    """Returns log Z-hat with the gradient through the choice of ancestors as well.

    Adds sum_t log P(ancestors_t) stop(log Z-hat of t..T), as a term of value zero: the score
    function, each choice multiplied by what comes after it. Unbiased for schedules that do not look
    at the weights (`always`); `ess_below` leaves the jumps at its threshold out.

    Raises:
      ValueError: the resampling scheme has no log probability to differentiate.
    Example:
      >>> def step(key, z, x):  # bootstrap proposal of a random walk seen in noise
      ...     z = z + jax.random.normal(key)
      ...     return z, z, jax.scipy.stats.norm.logpdf(x, z)
      >>> xs = jnp.array([1.0, 2.0, 3.0])

      >>> result = smc(jax.random.key(0), step, jnp.zeros(()), xs, 16, resampling=multinomial)
      >>> bool(score_resampling(result) == result.log_likelihood)  # only their gradients differ
      True
    Source: Maddison et al. (2017b), section 4; Naesseth et al. (2018), section 3.
    """
    log_probs = result.log_ancestor_probs
    if log_probs is None:
        raise ValueError(
            "resampling: got a scheme without log_prob, expected one whose score has a finite "
            "variance: multinomial"
        )
    # A sequence of likelihood zero has no direction in which to climb.
    terms = jnp.where(result.all_finite, result.log_increments, 0.0)
    still_to_come = jax.lax.stop_gradient(jnp.cumsum(terms[::-1])[::-1])
    return result.log_likelihood + jnp.sum(
        (log_probs - jax.lax.stop_gradient(log_probs)) * still_to_come
    )


class FilteringObjective(NamedTuple):
    """A way to turn particles into a bound.

    Attributes:
      resampling: how ancestors are drawn.
      when: whether they are, given the weights.
      gradient: the result of `smc` to log Z-hat with the gradient to climb.
    Example:
      >>> unbiased = FilteringObjective(multinomial, always, score_resampling)
      >>> FILTERING_OBJECTIVES["fivo"].resampling is unbiased.resampling
      True
    """

    resampling: Resampling
    when: Schedule
    gradient: Callable[[SMCResult], Scalar] = ignore_resampling


FILTERING_OBJECTIVES: dict[str, FilteringObjective] = {
    "iwae": FilteringObjective(systematic, never),
    "fivo": FilteringObjective(multinomial, ess_below(0.5)),
    "aesmc": FilteringObjective(systematic, always),
    "vsmc": FilteringObjective(stratified, always),
}
"""By name: Burda et al. (2016), which never resamples; filtering variational objectives (Maddison
et al. 2017b); auto-encoding SMC (Le et al. 2018); variational SMC (Naesseth et al. 2018). Schemes
and schedules are those of the authors' code."""


def filtering_bound(
    key: Key,
    step: Step,
    start: Any,
    xs: Any,
    num_particles: int,
    objective: FilteringObjective,
    *,
    mask: Array | None = None,
    observed: Array | None = None,
    unobserved_step: UnobservedStep | None = None,
) -> tuple[Scalar, SMCResult]:
    """Returns one sequence's log Z-hat in nats, with the objective's gradient, and its particles.

    It tends to log p(xs) as the number of particles grows.

    Args:
      step: moves and weighs one particle (see `smc`), with a reparameterized proposal.
      start: the state before the first step.
      xs: a pytree of arrays with a common leading axis of time.
      num_particles: K.
      objective: one of `FILTERING_OBJECTIVES`, or another.
      mask, observed, unobserved_step: which steps exist, which of them were seen, and how a
        particle moves at the others (see `smc`).
    Raises:
      ValueError: as `smc`; or the objective's gradient does not fit its resampling scheme.
    Example:
      >>> def step(key, z, x):  # bootstrap proposal of a random walk seen in noise
      ...     z = z + jax.random.normal(key)
      ...     return z, z, jax.scipy.stats.norm.logpdf(x, z)
      >>> xs = jnp.array([1.0, 2.0, 3.0])

      >>> bound, result = filtering_bound(
      ...     jax.random.key(0), step, jnp.zeros(()), xs, 16, FILTERING_OBJECTIVES["fivo"]
      ... )
      >>> loss = -bound  # nats: log p(xs) is at least the mean of the bound
    Source: Maddison et al. (2017b), section 3.
    """
    result = smc(
        key,
        step,
        start,
        xs,
        num_particles,
        resampling=objective.resampling,
        when=objective.when,
        mask=mask,
        observed=observed,
        unobserved_step=unobserved_step,
    )
    return objective.gradient(result), result

"""The score function (REINFORCE): differentiate the probability of the sample, not f in it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.checks import at_least
from jaxgen.estimators.base import (
    Estimate,
    Estimator,
    Objective,
    check_state,
    evaluate,
    finite,
    log_prob,
)
from jaxgen.estimators.baselines import Baseline, none
from jaxgen.types import Distribution, Key, Scalar

_NONE = none()


def score_function(num_samples: int = 1, *, baseline: Baseline = _NONE) -> Estimator:
    """Returns the estimator 1/S sum_s [(f(z_s) - h_s) grad log q(z_s) + grad f(z_s)] + grad E[h].

    For any q, discrete or continuous, and any f, a step or a black box. Unbiased with any of the
    room's baselines h. The surrogate is DiCE's: each f is multiplied by
    exp(log q - stop(log q)), which is one, so derivatives of every order are unbiased too. Where
    f - h is infinite its score is left out, and `all_finite` says so.

    Args:
      num_samples: S, draws of z and evaluations of f per call.
      baseline: the control variate h; `leave_one_out()` is the one to try first.
    Raises:
      ValueError: num_samples is below one, or below what the baseline needs; q is a batch of
        distributions; the state is () and the baseline has one.
    Example:
      value, _ = score_function(64).apply((), key, f, distrax.Bernoulli(logits))
    Source: Williams (1992); the surrogate: Foerster et al. (2018).
    """
    num_samples = at_least("num_samples", num_samples, baseline.min_samples)

    def apply(
        state: Any, key: Key, f: Objective, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        check_state(state, baseline.init, q, context)
        samples = jax.lax.stop_gradient(q.sample(seed=key, sample_shape=(num_samples,)))
        log_probs = log_prob(q, samples)
        values = evaluate(f, samples)
        control = baseline.apply(state, f, q, samples, values, context)
        one = jnp.exp(log_probs - jax.lax.stop_gradient(log_probs))
        gains = values - jax.lax.stop_gradient(control.values)
        known = jnp.isfinite(gains)
        weighted = values + jnp.where(known, one - 1, 0.0) * jnp.where(known, gains, 0.0)
        surrogate = jnp.mean(weighted) + _zero(control.mean) + _zero(control.loss)
        all_finite = finite(q, log_probs, values, control.values)
        estimate = Estimate(values, all_finite, control.statistics)
        return surrogate, jax.lax.stop_gradient(estimate)

    return Estimator(
        name="score function",
        init=baseline.init,
        apply=apply,
        update=baseline.update,
        unbiased=True,
        accepts="any distribution",
        evaluations=num_samples + baseline.evaluations,
    )


def _zero(term: Scalar | float) -> Scalar | float:
    """Zero, with the gradient of `term`."""
    return term - jax.lax.stop_gradient(term)

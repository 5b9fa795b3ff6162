"""The score function (REINFORCE): differentiate the probability of the sample, not f in it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand, check_state
from jaxgen.estimators.control_variates.base import Baseline
from jaxgen.estimators.control_variates.baselines import none
from jaxgen.estimators.evaluation import evaluate, finite, first_derivative_only, log_prob
from jaxgen.estimators.held import without_score
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call

_NONE = none()


@known_by_call
def score_function(num_samples: int = 1, *, baseline: Baseline = _NONE) -> Estimator:
    """Returns the estimator 1/S sum_s [(f(z_s) - h_s) grad log q(z_s) + grad f(z_s)] + grad E[h].

    For any q, discrete or continuous, and any f, a step or a black box. Unbiased with any of the
    room's baselines h. The surrogate is DiCE's: each f is multiplied by
    exp(log q - stop(log q)), which is one, so derivatives of every order are unbiased too (of an f
    with a parameter q, the first alone: a second is refused). Where f - h is infinite its score is
    left out, and `all_finite` says so.

    Args:
      num_samples: S, draws of z and evaluations of f per call.
      baseline: the control variate h; `leave_one_out()` is the one to try first.
    Raises:
      ValueError: num_samples is below one, or below what the baseline needs; q is a batch of
        distributions; the state is () and the baseline has one.
    Example:
      >>> def loss(logit, key):
      ...     f, q = lambda b: (b - 0.45) ** 2, distrax.Bernoulli(logit)
      ...     return score_function(64).apply((), key, f, q)[0]
      >>> jax.grad(loss)(0.3, jax.random.key(0))  # exactly: 0.0245
    Source: Williams (1992); the surrogate: Foerster et al. (2018).
    """
    num_samples = at_least("num_samples", num_samples, baseline.min_samples)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        check_state(state, baseline.init, q, context)
        samples = jax.lax.stop_gradient(q.sample(seed=key, sample_shape=(num_samples,)))
        log_probs = log_prob(q, samples)
        held = without_score(f, q)
        values = evaluate(held, samples)
        control = baseline.apply(state, held, q, samples, values, context)
        one = jnp.exp(log_probs - jax.lax.stop_gradient(log_probs))
        gains = values - jax.lax.stop_gradient(control.values)
        known = jnp.isfinite(gains)
        weighted = values + jnp.where(known, one - 1, 0.0) * jnp.where(known, gains, 0.0)
        surrogate = jnp.mean(weighted) + (control.mean - jax.lax.stop_gradient(control.mean))
        if held is not f:
            surrogate = first_derivative_only(surrogate, log_probs)
        all_finite = finite(q, log_probs, values, control.values)
        seen = jax.lax.stop_gradient((values, all_finite, control.statistics))
        return surrogate, Estimate(*seen, control_loss=control.loss)

    return Estimator(
        name="score function",
        apply=apply,
        unbiased=True,
        accepts="any distribution",
        evaluations=num_samples + baseline.evaluations,
        init=baseline.init,
        update=baseline.update,
    )

"""OVIS: the score function of IWAE's bound, each sample's own weight taken out of its score."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.bounds import IWAE, Bound
from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.evaluation import evaluate, finite, log_prob, with_gradient
from jaxgen.numerics import log_of_the_others, normalized
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
def ovis(num_samples: int, *, gamma: float = 0.0, bound: Bound = IWAE) -> Estimator:
    """Returns the estimator of grad E[L], L = log 1/K sum_k exp(f(z_k)), whose scores weigh

        L - c_k = gamma (v_k + log(1 - 1/K)) - log(1 - v_k),  v_k the normalized weights,

    c_k = log 1/(K-1) sum_(l != k) w_l - gamma v_k + (1 - gamma) log(1 - 1/K). f is a log weight,
    log p(x, z) - log q(z); its own dependence on params is differentiated, the -v_k of log q too.

    Unbiased for gamma = 0, where c_k does not see z_k. There the scores keep -log(1 - v_k) - v_k,
    about v_k²/2: the signal-to-noise ratio grows as sqrt(K), where VIMCO's falls as 1/sqrt(K).
    Else biased by gamma E[sum_k v_k grad log q(z_k)]. At gamma = 1 the scores keep about v_k - 1/K,
    those of `reweighted_wake_sleep` with a baseline: it lowers KL(posterior || q), not the bound's
    own gap. A weight that is alone not zero has an infinite score: that is left out and
    `all_finite` says so.

    Args:
      num_samples: K, draws of z and evaluations of f per call.
      gamma: from 0, for a few weights that count, to 1, for many.
      bound: IWAE; c_k is made for no other.
    Raises:
      ValueError: num_samples is below two; gamma is not in [0, 1]; the bound is another.
    Example:
      >>> p, q = distrax.Bernoulli(1.0), distrax.Bernoulli(0.0)
      >>> f = lambda z, q=q: p.log_prob(z) - q.log_prob(z)  # a log weight
      >>> bound, _ = ovis(50).apply((), jax.random.key(0), f, q)
    Source: Liévin et al. (2020), equation 17.
    """
    num_samples = at_least("num_samples", num_samples, 2)
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma: got {gamma}, expected a number in [0, 1]")
    if bound != IWAE:
        raise ValueError(
            f"bound: got {bound.name}, expected iwae, or another gradient: score_function or vimco"
        )

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        samples = jax.lax.stop_gradient(q.sample(seed=key, sample_shape=(num_samples,)))
        log_weights = evaluate(f, samples)
        log_probs = log_prob(q, samples)
        v = normalized(log_weights)
        gains = gamma * (v + math.log(1 - 1 / num_samples)) - log_of_the_others(log_weights)
        gains = jnp.where(jnp.isfinite(gains), gains, 0.0)
        surrogate = with_gradient(IWAE(log_weights), gains, log_probs)
        estimate = Estimate(jax.lax.stop_gradient(log_weights), finite(q, log_weights, log_probs))
        return surrogate, estimate

    return Estimator(
        name="ovis",
        apply=apply,
        unbiased=gamma == 0,
        accepts="any distribution with a density",
        evaluations=num_samples,
        bound=bound,
    )

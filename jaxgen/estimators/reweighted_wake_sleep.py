"""Reweighted wake-sleep: the model climbs a bound, q the samples of the posterior."""

from __future__ import annotations

from typing import Any

import jax

from jaxgen.bounds import IWAE, Bound
from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.evaluation import evaluate, finite, log_prob, with_gradient
from jaxgen.estimators.sticking_the_landing import with_stopped
from jaxgen.numerics import normalized
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
def reweighted_wake_sleep(num_samples: int, *, bound: Bound = IWAE) -> Estimator:
    """Returns sum_k v_k grad (f(z_k) + log q(z_k)), v the normalized weights exp(f(z_k)), z_k ~ q.

    f is a log weight, log p(x, z) - log q(z), that takes q for log q alone. What it depends on
    besides, the model, has the gradient of the bound log 1/K sum_k exp(f(z_k)), which is the value;
    or of another bound of the log weights.
    The gradient in q is another's, that of E[log q(z)] under the posterior in place of q: it lowers
    KL(posterior || q), by self-normalized importance sampling, with a bias of O(1/K). No score is
    multiplied by a bound, and q may be discrete.

    Args:
      num_samples: K, draws of z and evaluations of f per call; one says nothing of q.
      bound: how the K log weights are joined for the model; the v_k stay as they are.
    Raises:
      ValueError: num_samples is below two; f does not take (z, q).
    Example:
      >>> p, q = distrax.Bernoulli(1.0), distrax.Bernoulli(0.0)
      >>> f = lambda z, q=q: p.log_prob(z) - q.log_prob(z)  # a log weight
      >>> bound, _ = reweighted_wake_sleep(50).apply((), jax.random.key(0), f, q)
    Source: Bornschein & Bengio (2015), with the wake phase for q; Le et al. (2019).
    """
    num_samples = at_least("num_samples", num_samples, 2)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        samples = jax.lax.stop_gradient(q.sample(seed=key, sample_shape=(num_samples,)))
        log_weights = evaluate(with_stopped(f, q), samples)
        log_probs = log_prob(q, samples)
        surrogate = with_gradient(bound(log_weights), normalized(log_weights), log_probs)
        estimate = Estimate(jax.lax.stop_gradient(log_weights), finite(q, log_weights, log_probs))
        return surrogate, estimate

    return Estimator(
        name="reweighted wake-sleep",
        apply=apply,
        unbiased=False,
        accepts="any distribution with a density; f takes (z, q)",
        evaluations=num_samples,
        bound=bound,
    )

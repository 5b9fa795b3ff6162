"""Two bounds at once: q climbs one, the model another."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
from jaxtyping import Array

from jaxgen.bounds import IWAE, Bound
from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand, count_evaluations
from jaxgen.estimators.evaluation import evaluate, finite, with_gradient
from jaxgen.estimators.free_parameters import free_parameters
from jaxgen.estimators.sticking_the_landing import with_stopped
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
def two_bounds(num_samples: int, *, of_q: Estimator, bound: Bound = IWAE) -> Estimator:
    """Returns the gradient of `bound` in all that f depends on but q, and that of `of_q` in q.

    A tight bound is the better one for the model and the worse one for q, whose pathwise gradient
    loses its signal as samples are added. With q's of `miwae(M)` and the model's of IWAE, of the
    same K draws, this is PIWAE. f is a log weight that takes q for log q alone; the value is that
    of `bound`. No one objective has this gradient.

    Args:
      num_samples: K, draws for the model. Where `of_q` has as many, they are the same, and once
        compiled f is evaluated there but once.
      of_q: any estimator; its gradient in q's own parameters (mean and scale, logits) is taken.
      bound: how the K log weights are joined for the model.
    Raises:
      ValueError: num_samples is below one; f does not take (z, q); q is no pytree of its
        parameters.
    Example:
      >>> piwae = two_bounds(8, of_q=doubly_reparameterized(8, bound=miwae(4)))
      >>> p, q = distrax.Normal(1.0, 1.0), distrax.Normal(0.0, 1.0)
      >>> f = lambda z, q=q: p.log_prob(z) - q.log_prob(z)  # a log weight
      >>> bound, _ = piwae.apply((), jax.random.key(0), f, q)
    Source: Rainforth et al. (2018), section 6.
    """
    num_samples = at_least("num_samples", num_samples, 1)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        log_weight = with_stopped(f, q)
        params, rebuild = free_parameters(q)

        def climbed_by_q(params: dict[int, Array]) -> tuple[Scalar, Estimate]:
            at = rebuild(params)
            g = lambda z, q=at: f(z, q)  # noqa: E731
            return of_q.apply(state, jax.random.clone(key), g, at, context)

        gradient, estimate = jax.grad(climbed_by_q, has_aux=True)(jax.lax.stop_gradient(params))
        samples = q.sample(seed=jax.random.clone(key), sample_shape=(num_samples,))
        log_weights = evaluate(log_weight, jax.lax.stop_gradient(samples))
        all_finite = estimate.all_finite & finite(q, log_weights)
        surrogate = with_gradient(bound(log_weights), gradient, params)
        return surrogate, estimate._replace(all_finite=all_finite)

    return dataclasses.replace(
        of_q,
        name=f"{of_q.name}, beside {bound.name} of the model",
        apply=apply,
        unbiased=False,
        evaluations=lambda q: num_samples + count_evaluations(of_q, q),
        bound=bound,
    )

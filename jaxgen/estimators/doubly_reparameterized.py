"""DReG: the pathwise gradient of a multi-sample bound, reparameterized once more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float

from jaxgen.bounds import IWAE, Bound
from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.evaluation import evaluate, finite, with_gradient
from jaxgen.estimators.pathwise import reparameterized_samples
from jaxgen.estimators.sticking_the_landing import with_stopped
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
def doubly_reparameterized(num_samples: int = 1, *, bound: Bound = IWAE) -> Estimator:
    """Returns the estimator of grad E[L], L = log 1/K sum_k exp(f(z_k, q)), z_1..z_K ~ q.

    The objective is not E_q[f] but the bound: f(z, q) is a log weight, log p(x, z) - log q(z), that
    scores with the q it is handed, a copy whose params carry no gradient. With normalized weights
    w_k, the gradient through the samples is sum_k w_k^2 f'(z_k) dz_k: the score of log q, whose
    noise drowns the gradient as K grows, is reparameterized away. What f itself depends on
    (the decoder) keeps the bound's own gradient, sum_k w_k df(z_k). Unbiased; sticking the landing
    at K = 1. Written `def f(z, q=q)`, the same f serves `vimco` and every other estimator.

    With another bound of the log weights l_k, the path through z_k is multiplied by
    dL/dl_k - d²L/dl_k² in place of w_k^2: the score's coefficient dL/dl_k varies with z_k through
    l_k, and reparameterizing the score subtracts that. For the ELBO this sticks the landing.

    Args:
      num_samples: K, draws of z and evaluations of f per call.
      bound: how the K log weights are joined.
    Raises:
      ValueError: num_samples is below one; the bound is not twice differentiable; f does not take
        (z, q); q is not reparameterizable.
    Example:
      >>> p, q = distrax.Normal(1.0, 1.0), distrax.Normal(0.0, 1.0)
      >>> f = lambda z, q=q: p.log_prob(z) - q.log_prob(z)  # a log weight
      >>> bound, _ = doubly_reparameterized(50).apply((), jax.random.key(0), f, q)
    Source: Tucker et al. (2019), equation 8.
    """
    num_samples = at_least("num_samples", num_samples, 1)
    path_weights = path_weights_of(bound)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        log_weight = with_stopped(f, q)
        samples = reparameterized_samples(key, q, num_samples)
        log_weights, pullback = jax.vjp(
            lambda z: evaluate(log_weight, z), jax.lax.stop_gradient(samples)
        )
        (grad,) = pullback(path_weights(log_weights))
        surrogate = with_gradient(bound(log_weights), grad, samples)
        return surrogate, Estimate(
            jax.lax.stop_gradient(log_weights), finite(q, log_weights, samples)
        )

    return Estimator(
        name="doubly reparameterized",
        apply=apply,
        unbiased=True,
        accepts="any reparameterizable distribution; f takes (z, q)",
        evaluations=num_samples,
        bound=bound,
    )


def path_weights_of(bound: Bound) -> Callable[[Float[Array, "samples"]], Float[Array, "samples"]]:
    """Returns the function from log weights to dL/dl_k - d²L/dl_k².

    Raises:
      ValueError: the bound is not twice differentiable.
    Example:
      >>> path_weights_of(IWAE)(jnp.log(jnp.array([1.0, 3.0]))).tolist()  # v_k²
      [0.0625, 0.5625]
    """
    if bound.path_weights is None:
        raise ValueError(
            f"bound: got {bound.name}, which is not twice differentiable, expected one that is, or "
            "another gradient: pathwise, score_function, vimco (or the biased sticking_the_landing)"
        )
    return bound.path_weights

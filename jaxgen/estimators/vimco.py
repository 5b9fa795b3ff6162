"""VIMCO: the score function for a multi-sample bound, each sample judged against the others."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.bounds import IWAE, Bound
from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.evaluation import evaluate, finite, log_prob, with_gradient
from jaxgen.estimators.held import without_score
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
def vimco(num_samples: int, *, bound: Bound = IWAE) -> Estimator:
    """Returns the estimator of grad E[L], L = log 1/K sum_k exp(f(z_k)), z_1..z_K ~ q.

    The objective is not E_q[f] but the bound: f is a log weight, log p(x, z) - log q(z), and the
    surrogate's value is L. Each score is weighted by L - L_(-k), where L_(-k) puts the geometric
    mean of the other weights in the place of the k-th: unbiased, since L_(-k) does not see z_k.
    f's own dependence on params is differentiated, through log q too unless the bound is linear; f
    is not, in the sample.
    A weight of zero makes geometric means zero; where it makes a score infinite, that score is left
    out and `all_finite` says so. Any other bound L of the log weights does as well: with the ELBO
    this is the leave-one-out baseline.

    Args:
      num_samples: K, draws of z and evaluations of f per call.
      bound: how the K log weights are joined.
    Raises:
      ValueError: num_samples is below two.
    Example:
      >>> p, q = distrax.Bernoulli(1.0), distrax.Bernoulli(0.0)
      >>> f = lambda z, q=q: p.log_prob(z) - q.log_prob(z)  # a log weight
      >>> bound, _ = vimco(50).apply((), jax.random.key(0), f, q)
    Source: Mnih & Rezende (2016), equation 10.
    """
    num_samples = at_least("num_samples", num_samples, 2)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        samples = jax.lax.stop_gradient(q.sample(seed=key, sample_shape=(num_samples,)))
        log_weights = evaluate(without_score(f, q, bound), samples)
        log_probs = log_prob(q, samples)
        value = bound(log_weights)
        gains = value - leave_one_out_bounds(log_weights, bound)
        gains = jnp.where(jnp.isfinite(gains), gains, 0.0)
        surrogate = with_gradient(value, gains, log_probs)
        estimate = Estimate(jax.lax.stop_gradient(log_weights), finite(q, log_weights, log_probs))
        return surrogate, estimate

    return Estimator(
        name="vimco",
        apply=apply,
        unbiased=True,
        accepts="any distribution with a density",
        evaluations=num_samples,
        bound=bound,
    )


def leave_one_out_bounds(
    log_weights: Float[Array, "samples"], bound: Bound = IWAE
) -> Float[Array, "samples"]:
    """Returns L_(-k): the bound, in nats, with log w_k replaced by the mean of the other log w.

    Example:
      >>> leave_one_out_bounds(jnp.array([0.0, 1.0, 2.0]))[1]  # bound of [0, 1, 2]: (0 + 2) / 2 = 1
    Source: Mnih & Rezende (2016), equation 9.
    """
    is_own = jnp.eye(len(log_weights), dtype=bool)
    others = jnp.where(is_own, 0.0, log_weights)
    means = jnp.sum(others, axis=1, keepdims=True) / (len(log_weights) - 1)
    return jax.vmap(bound)(jnp.where(is_own, means, log_weights))

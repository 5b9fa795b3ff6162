"""Local expectation gradients: each latent summed over its states, the others sampled."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.array_checks import one_distribution
from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.discrete import factors
from jaxgen.estimators.evaluation import evaluate, finite, first_derivative_only
from jaxgen.estimators.held import without_score
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
def local_expectation(num_samples: int = 1) -> Estimator:
    """Returns the estimator sum_i sum_k f(z with z_i = k) grad q_i(k), averaged over samples z.

    The Rao-Blackwellized score function: latent i's own randomness is integrated out. Unbiased, and
    exact for a single latent or an f that is a sum over latents. First derivatives only. The sums
    are those of IndeCateR; here one sample of the others serves all latents and states.

    Args:
      num_samples: S; each costs 1 + latents (states - 1) evaluations of f.
    Raises:
      ValueError: num_samples is below one; q is neither Bernoulli nor categorical.
    Example:
      >>> def loss(logit, key):
      ...     f, q = lambda b: (b - 0.45) ** 2, distrax.Bernoulli(logit)
      ...     return local_expectation(4).apply((), key, f, q)[0]
      >>> jax.grad(loss)(0.3, jax.random.key(0))  # exactly: 0.0245
    Source: Titsias & Lázaro-Gredilla (2015); IndeCateR: De Smet et al. (2023).
    """
    num_samples = at_least("num_samples", num_samples, 1)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        one_distribution(q)
        latents = factors(q)
        num_latents, num_states = latents.log_probs.shape
        shape = (num_samples, num_latents)
        states = jax.random.categorical(key, latents.log_probs, shape=shape)
        f = without_score(f, q)
        values = evaluate(f, latents.decode(states))

        # moved[s, k, i] is sample s where latent i alone goes on by k + 1 states.
        steps = jnp.arange(1, num_states)[:, None, None] * jnp.eye(num_latents, dtype=int)
        moved = (states[:, None, None] + steps) % num_states
        others = evaluate(f, latents.decode(moved.reshape(-1, num_latents)))

        # f_with[s, k, i] is f where latent i is in state k: k - z_si steps from where it is.
        others = others.reshape(num_samples, num_states - 1, num_latents)
        here = jnp.broadcast_to(values[:, None, None], (num_samples, 1, num_latents))
        from_here = (jnp.arange(num_states)[:, None] - states[:, None]) % num_states
        f_with = jnp.take_along_axis(jnp.concatenate([here, others], axis=1), from_here, axis=1)
        # The mean first: millions of samples added up one by one would be lost in float32.
        means = jax.lax.stop_gradient(jnp.mean(f_with, axis=0).T)
        means = jnp.where(latents.log_probs == -jnp.inf, 0.0, means)  # f may be anything there
        local = jnp.sum(jnp.exp(latents.log_probs) * means)

        surrogate = jnp.mean(values) + (local - jax.lax.stop_gradient(local))
        surrogate = first_derivative_only(surrogate, latents.log_probs)
        return surrogate, Estimate(jax.lax.stop_gradient(values), finite(q, values, means))

    def evaluations(q: Distribution) -> int:
        num_latents, num_states = factors(q).log_probs.shape
        return num_samples * (1 + num_latents * (num_states - 1))

    return Estimator(
        name="local expectation",
        apply=apply,
        unbiased=True,
        accepts="Bernoulli or categorical",
        evaluations=evaluations,
    )

"""Exact gradients of discrete expectations: the sum over every state of q."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.discrete import factors
from jaxgen.estimators.evaluation import evaluate, finite, log_prob
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
def enumeration(*, max_states: int = 4096) -> Estimator:
    """Returns the exact gradient of sum_z q(z) f(z), of any order and with no variance.

    Costs states^latents evaluations of f in one vmap, so it is refused above a count. The
    Estimate's one value is E_q[f].

    Args:
      max_states: the largest number of states of q that will be enumerated.
    Raises:
      ValueError: max_states is below one; q is neither Bernoulli nor categorical, or has more
        states than max_states.
    Example:
      >>> def loss(logit, key):
      ...     f, q = lambda b: (b - 0.45) ** 2, distrax.Bernoulli(logit)
      ...     return enumeration().apply((), key, f, q)[0]
      >>> jax.grad(loss)(0.3, jax.random.key(0))  # exactly: 0.0245
    """
    max_states = at_least("max_states", max_states, 1)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        states = all_states(q, max_states)
        log_probs, values = log_prob(q, states), evaluate(f, states)
        impossible = log_probs == -jnp.inf  # f may be anything there
        values = jnp.where(impossible, 0.0, values)
        expectation = jnp.sum(jnp.exp(log_probs) * values)
        all_finite = finite(q, jnp.where(impossible, 0.0, log_probs), values)
        return expectation, Estimate(jax.lax.stop_gradient(expectation)[None], all_finite)

    return Estimator(
        name="enumeration",
        apply=apply,
        unbiased=True,
        accepts=f"Bernoulli or categorical with at most {max_states} states",
        evaluations=count_states,
    )


def count_states(q: Distribution) -> int:
    """Returns the number of states of a discrete q, states^latents."""
    num_latents, num_states = factors(q).log_probs.shape
    return num_states**num_latents


def all_states(q: Distribution, max_states: int) -> Array:
    """Returns every state of q, as q draws them, on a leading axis.

    Raises:
      ValueError: q is neither Bernoulli nor categorical, or has more than max_states states.
    Example:
      >>> q = distrax.Independent(distrax.Bernoulli(jnp.zeros(3)), 1)
      >>> all_states(q, 100)  # shape [8, 3]
    """
    count = count_states(q)
    if count > max_states:
        raise ValueError(
            f"q: got {count} states, expected at most {max_states} (max_states) to enumerate; "
            "`local_expectation` sums over one latent at a time"
        )
    latents = factors(q)
    num_latents, num_states = latents.log_probs.shape
    states = np.indices((num_states,) * num_latents).reshape(num_latents, -1).T
    return latents.decode(jnp.asarray(states))

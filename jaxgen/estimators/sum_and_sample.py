"""Sum-and-sample: the likeliest states are summed over, one of the rest stands for all the rest."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.array_checks import one_distribution
from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.discrete import factors
from jaxgen.estimators.distinct import distinct, likeliest, other_than
from jaxgen.estimators.enumeration import count_states
from jaxgen.estimators.evaluation import evaluate, finite, with_gradient
from jaxgen.estimators.held import without_score
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
def sum_and_sample(num_samples: int = 2) -> Estimator:
    """Returns the estimator sum_(s in T) q(s) g(s) + (1 - q(T)) g(r), g = (f - B) dlog q.

    T are the S - 1 likeliest states of q, all its latents together, and r is drawn from the others.
    B, the mean of f over T, is known before r is drawn, so it biases nothing. Unbiased for any f,
    which is never differentiated in the sample. Good where T holds most of the probability; with
    many latents q(T) is next to nothing and so is the gain.

    Args:
      num_samples: S, evaluations of f per call (or all states of q, where they are fewer).
    Raises:
      ValueError: num_samples is below two; q is neither Bernoulli nor categorical.
    Example:
      >>> def loss(logits, key):
      ...     f, q = lambda z: (z - 1.3) ** 2, distrax.Categorical(logits)
      ...     return sum_and_sample(2).apply((), key, f, q)[0]
      >>> jax.grad(loss)(jnp.array([0.0, 0.5, 1.0]), jax.random.key(0))
    Source: Liang et al. (2018); Kool et al. (2020).
    """
    num_samples = at_least("num_samples", num_samples, 2)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        one_distribution(q)
        latents = factors(q)
        held = jax.lax.stop_gradient(latents.log_probs)
        count = evaluations(q)
        top, log_top = likeliest(held, count - 1)
        states = jnp.concatenate([top, other_than(top, distinct(key, held, count)[0])])
        drawn = latents.log_probs_of(states)
        log_probs = jnp.sum(drawn, axis=1)
        possible = jax.lax.stop_gradient(log_probs) > -jnp.inf
        values = evaluate(without_score(f, q), latents.decode(states))
        values = jnp.where(possible, values, 0.0)

        probs = jnp.exp(log_top)
        weights = jnp.append(probs, jnp.maximum(1 - jnp.sum(probs), 0.0)) * possible
        baseline = jnp.sum(jax.nn.softmax(log_top) * values[:-1])
        gains = jnp.where(possible, weights * (values - baseline), 0.0)
        surrogate = with_gradient(
            jnp.sum(weights * values), gains, jnp.where(possible, log_probs, 0.0)
        )
        return surrogate, Estimate(jax.lax.stop_gradient(values), finite(q, values, baseline))

    def evaluations(q: Distribution) -> int:
        return min(num_samples, count_states(q))

    return Estimator(
        name="sum and sample",
        apply=apply,
        unbiased=True,
        accepts="Bernoulli or categorical",
        evaluations=evaluations,
    )

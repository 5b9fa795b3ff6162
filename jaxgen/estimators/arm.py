"""Augment-REINFORCE-merge: two samples of one antithetic uniform per latent, f differenced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Objective, evaluate, finite
from jaxgen.estimators.logits import bernoulli_logits
from jaxgen.estimators.surrogate import with_gradient
from jaxgen.types import Distribution, Key, Scalar


def arm(num_samples: int = 2) -> Estimator:
    """Returns the estimator (f(b) - f(b')) (u - 1/2), averaged over S/2 independent pairs.

    b = [u > sigmoid(-logits)] and b' = [u < sigmoid(logits)] for one uniform u per latent: each is
    a sample of q and they differ as often as can be. Unbiased for any f, which is never
    differentiated in the sample and sees floats, 0 or 1.

    Args:
      num_samples: S, evaluations of f per call: even.
    Raises:
      ValueError: num_samples is below two or odd; q is not Bernoulli.
    Example:
      value, _ = arm(64).apply((), key, f, distrax.Bernoulli(logits))
    Source: Yin & Zhou (2019), theorem 1.
    """
    return antithetic("arm", lambda u, b, opposite, logits: u - 0.5, num_samples)


def antithetic(
    name: str, weight: Callable[[Array, Array, Array, Array], Array], num_samples: int
) -> Estimator:
    """Returns the estimator (f(b) - f(b')) weight(u, b, b', logits), averaged over S/2 pairs.

    Raises:
      ValueError: num_samples is below two or odd.
    Example:
      antithetic("arm", lambda u, b, opposite, logits: u - 0.5, 2)
    """
    num_pairs, odd = divmod(at_least("num_samples", num_samples, 2), 2)
    if odd:
        raise ValueError(f"num_samples: got {num_samples}, expected an even number (of pairs)")

    def apply(
        state: Any, key: Key, f: Objective, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        logits = bernoulli_logits(q)
        u = jax.random.uniform(key, (num_pairs, *logits.shape), logits.dtype)
        b = (u > jax.nn.sigmoid(-logits)).astype(logits.dtype)
        opposite = (u < jax.nn.sigmoid(logits)).astype(logits.dtype)
        values = evaluate(f, jnp.concatenate([b, opposite]))
        difference = values[:num_pairs] - values[num_pairs:]
        grad = jnp.tensordot(difference, weight(u, b, opposite, logits), axes=1) / num_pairs
        surrogate = with_gradient(jnp.mean(values), grad, logits)
        return surrogate, Estimate(jax.lax.stop_gradient(values), finite(q, values))

    return Estimator(
        name=name,
        init=lambda key, q, context=None: (),
        apply=apply,
        update=lambda state, estimates: state,
        unbiased=True,
        accepts="Bernoulli",
        evaluations=num_samples,
    )

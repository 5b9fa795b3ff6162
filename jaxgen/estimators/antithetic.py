"""ARM and DisARM: f differenced between two antithetic samples of one uniform per latent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.discrete import bernoulli_logits
from jaxgen.estimators.evaluation import evaluate, finite, with_gradient
from jaxgen.estimators.held import without_score
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
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
      >>> def loss(logit, key):
      ...     f, q = lambda b: (b - 0.45) ** 2, distrax.Bernoulli(logit)
      ...     return arm(64).apply((), key, f, q)[0]
      >>> jax.grad(loss)(0.3, jax.random.key(0))  # exactly: 0.0245
    Source: Yin & Zhou (2019), theorem 1.
    """
    return antithetic(num_samples, name="arm", weight=lambda u, b, opposite, logits: u - 0.5)


@known_by_call
def disarm(num_samples: int = 2) -> Estimator:
    """Returns the estimator 1/2 (f(b) - f(b')) (b - b') sigmoid(|logits|), averaged over S/2 pairs.

    E[u - 1/2 | b, b'] stands in ARM's place of u - 1/2: by Rao-Blackwell its variance is never
    above ARM's, at the same cost; a latent on which the pair agrees gets no gradient from it.
    Unbiased for any f, which is never differentiated in the sample and sees floats, 0 or 1.

    Args:
      num_samples: S, evaluations of f per call: even.
    Raises:
      ValueError: num_samples is below two or odd; q is not Bernoulli.
    Example:
      >>> def loss(logit, key):
      ...     f, q = lambda b: (b - 0.45) ** 2, distrax.Bernoulli(logit)
      ...     return disarm(64).apply((), key, f, q)[0]
      >>> jax.grad(loss)(0.3, jax.random.key(0))  # exactly: 0.0245
    Source: Dong et al. (2020), equation 6; Yin et al. (2020), U2G.
    """

    def weight(u: Array, b: Array, opposite: Array, logits: Array) -> Array:
        return 0.5 * (b - opposite) * jax.nn.sigmoid(abs(logits))

    return antithetic(num_samples, name="disarm", weight=weight)


def antithetic(
    num_samples: int, *, name: str, weight: Callable[[Array, Array, Array, Array], Array]
) -> Estimator:
    """Returns the estimator (f(b) - f(b')) weight(u, b, b', logits), averaged over S/2 pairs.

    Raises:
      ValueError: num_samples is below two or odd.
    Example:
      >>> antithetic(2, name="arm", weight=lambda u, b, opposite, logits: u - 0.5)
    """
    num_pairs, odd = divmod(at_least("num_samples", num_samples, 2), 2)
    if odd:
        raise ValueError(f"num_samples: got {num_samples}, expected an even number (of pairs)")

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        logits = bernoulli_logits(q)
        u = jax.random.uniform(key, (num_pairs, *logits.shape), logits.dtype)
        b = (u > jax.nn.sigmoid(-logits)).astype(logits.dtype)
        opposite = (u < jax.nn.sigmoid(logits)).astype(logits.dtype)
        values = evaluate(without_score(f, q), jnp.concatenate([b, opposite]))
        difference = values[:num_pairs] - values[num_pairs:]
        weights = weight(u, b, opposite, logits)
        total = jnp.tensordot(difference, weights, axes=1, precision=jax.lax.Precision.HIGHEST)
        grad = total / num_pairs
        surrogate = with_gradient(jnp.mean(values), grad, logits)
        return surrogate, Estimate(jax.lax.stop_gradient(values), finite(q, values, logits))

    return Estimator(
        name=name,
        apply=apply,
        unbiased=True,
        accepts="Bernoulli",
        evaluations=num_samples,
    )

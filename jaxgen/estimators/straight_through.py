"""Straight-through: hard samples forwards, the gradient of a soft stand-in backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import at_least, positive
from jaxgen.estimators.base import Estimate, Estimator, Objective, evaluate, finite
from jaxgen.estimators.logits import Latent, relaxable
from jaxgen.types import Distribution, Key, Scalar


def straight_through(num_samples: int = 1) -> Estimator:
    """Returns the estimator grad 1/S sum_s f(b_s) that puts dE[b] in the place of db_s.

    The value is unbiased; the gradient, E[f'(b)] dE[b]/dlogits, is exact where f is linear in each
    latent and biased elsewhere. f sees floats, 0 or 1, and must have a slope there.

    Args:
      num_samples: S, draws of b and evaluations of f per call.
    Raises:
      ValueError: num_samples is below one; q is neither Bernoulli nor one-hot categorical.
    Example:
      value, _ = straight_through(64).apply((), key, f, distrax.Bernoulli(logits))
    Source: Bengio et al. (2013), section 4.
    """

    def mean(latent: Latent, z: Array) -> Array:
        return latent.soften(latent.logits)

    return _estimator("straight-through", mean, num_samples)


def gumbel_straight_through(num_samples: int = 1, *, temperature: float = 0.5) -> Estimator:
    """Returns the estimator grad 1/S sum_s f(b_s) that puts d soften(z_s / t) in the place of db_s.

    b_s = harden(z_s) with z_s = logits + noise_s: the stand-in is the relaxed sample of the same
    noise. The value is unbiased, the gradient is biased; where f is linear in each latent the bias
    vanishes as t falls, while the variance grows. f sees floats, 0 or 1.

    Args:
      num_samples: S, draws of b and evaluations of f per call.
      temperature: t > 0, the width of the softened step in units of the logits.
    Raises:
      ValueError: num_samples is below one, temperature not above zero; q is neither Bernoulli nor
        one-hot categorical.
    Example:
      value, _ = gumbel_straight_through(64).apply((), key, f, distrax.Bernoulli(logits))
    Source: Jang et al. (2017), section 2.2.
    """
    temperature = positive("temperature", temperature)

    def relaxed_sample(latent: Latent, z: Array) -> Array:
        return latent.soften(z / temperature)

    return _estimator("gumbel straight-through", relaxed_sample, num_samples)


def _estimator(
    name: str, stand_in: Callable[[Latent, Array], Array], num_samples: int
) -> Estimator:
    num_samples = at_least("num_samples", num_samples, 1)

    def apply(
        state: Any, key: Key, f: Objective, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        latent = relaxable(q)
        logits = latent.logits
        z = logits + latent.noise(key, (num_samples, *logits.shape), logits.dtype)
        soft = stand_in(latent, z)
        values = evaluate(f, latent.harden(z) + (soft - jax.lax.stop_gradient(soft)))
        estimate = Estimate(jax.lax.stop_gradient(values), finite(q, values))
        return jnp.mean(values), estimate

    return Estimator(
        name=name,
        init=lambda key, q, context=None: (),
        apply=apply,
        update=lambda state, estimates: state,
        unbiased=False,
        accepts="Bernoulli or one-hot categorical",
        evaluations=num_samples,
    )

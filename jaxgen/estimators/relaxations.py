"""Gradients through a softened sample: Concrete (Gumbel-softmax) and straight-through, biased."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import at_least, positive
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.discrete import Latent, relaxable
from jaxgen.estimators.evaluation import evaluate, finite
from jaxgen.estimators.held import without_score
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
def relaxed(num_samples: int = 1, *, temperature: float = 0.5) -> Estimator:
    """Returns the estimator grad 1/S sum_s f(soften(z_s / t)), z_s = logits + noise_s.

    soften is the sigmoid (the binary Concrete) or the softmax. Both value and gradient are those
    of E[f(relaxed z)], not of E_q[f]: biased unless f is constant. The bias vanishes as t falls,
    but not steadily, and the variance grows (on Tucker's toy, t = .45, logit .3, the gradient is
    8%, 30% and 14% too large at t = 1, .5, .1). f must accept floats between 0 and 1.

    Args:
      num_samples: S, draws of z and evaluations of f per call.
      temperature: t > 0, the width of the softened step in units of the logits.
    Raises:
      ValueError: num_samples is below one, temperature not above zero; q is neither Bernoulli nor
        one-hot categorical.
    Example:
      >>> def loss(logit, key):
      ...     f, q = lambda b: (b - 0.45) ** 2, distrax.Bernoulli(logit)
      ...     return relaxed(64).apply((), key, f, q)[0]
      >>> jax.grad(loss)(0.3, jax.random.key(0))  # biased; exactly: 0.0245
    Source: Jang et al. (2017), equation 2; Maddison et al. (2017a), section 3.
    """
    temperature = positive("temperature", temperature)

    def soft(latent: Latent, z: Array) -> Array:
        return latent.soften(z / temperature)

    return _through("relaxed", soft, num_samples)


@known_by_call
def straight_through(num_samples: int = 1, *, temperature: float = 1.0) -> Estimator:
    """Returns the estimator grad 1/S sum_s f(b_s) that puts d soften(logits / t) in place of db_s.

    At t = 1 that is dE[b]. The value is unbiased; the gradient, E[f'(b)] dE[b]/dlogits, is exact
    where f is linear in each latent and biased elsewhere. f sees floats, 0 or 1, and must have a
    slope there. Any other t decouples the backward pass from the samples, and is biased for linear
    f too; the forward pass has the temperature of q.

    Args:
      num_samples: S, draws of b and evaluations of f per call.
      temperature: t > 0, of the backward pass alone.
    Raises:
      ValueError: num_samples is below one, temperature not above zero; q is neither Bernoulli nor
        one-hot categorical.
    Example:
      >>> def loss(logit, key):
      ...     f, q = lambda b: (b - 0.45) ** 2, distrax.Bernoulli(logit)
      ...     return straight_through(64).apply((), key, f, q)[0]
      >>> jax.grad(loss)(0.3, jax.random.key(0))  # biased; exactly: 0.0245
    Source: Bengio et al. (2013), section 4; decoupled: Shah et al. (2024).
    """
    temperature = positive("temperature", temperature)

    def sample(latent: Latent, z: Array) -> Array:
        return _hard_with_slope_of(latent.soften(latent.logits / temperature), latent, z)

    return _through("straight-through", sample, num_samples)


@known_by_call
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
      >>> def loss(logit, key):
      ...     f, q = lambda b: (b - 0.45) ** 2, distrax.Bernoulli(logit)
      ...     return gumbel_straight_through(64).apply((), key, f, q)[0]
      >>> jax.grad(loss)(0.3, jax.random.key(0))  # biased; exactly: 0.0245
    Source: Jang et al. (2017), section 2.2.
    """
    temperature = positive("temperature", temperature)

    def sample(latent: Latent, z: Array) -> Array:
        return _hard_with_slope_of(latent.soften(z / temperature), latent, z)

    return _through("gumbel straight-through", sample, num_samples)


def _hard_with_slope_of(soft: Array, latent: Latent, z: Array) -> Array:
    return latent.harden(z) + (soft - jax.lax.stop_gradient(soft))


def _through(name: str, sample: Callable[[Latent, Array], Array], num_samples: int) -> Estimator:
    """Returns the estimator grad 1/S sum_s f(sample(z_s)), z_s = logits + noise_s."""
    num_samples = at_least("num_samples", num_samples, 1)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        latent = relaxable(q)
        logits = latent.logits
        z = logits + latent.noise(key, (num_samples, *logits.shape), logits.dtype)
        values = evaluate(without_score(f, q), sample(latent, z))
        estimate = Estimate(jax.lax.stop_gradient(values), finite(q, values))
        return jnp.mean(values), estimate

    return Estimator(
        name=name,
        apply=apply,
        unbiased=False,
        accepts="Bernoulli or one-hot categorical",
        evaluations=num_samples,
    )

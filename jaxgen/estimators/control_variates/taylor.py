"""The pathwise gradient less that of f's quadratic expansion, whose expectation is known."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.control_variates.quadratic import expansion, moments, quadratic_control
from jaxgen.estimators.evaluation import evaluate, finite, first_derivative_only
from jaxgen.estimators.held import without_score
from jaxgen.estimators.pathwise import reparameterized_samples
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
def taylor(num_samples: int = 1) -> Estimator:
    """Returns the estimator grad [1/S sum_s (f(z_s) - t(z_s)) + E_q t], z_s reparameterized,

        t(z) = f'(m) (z - m) + (z - m)^T f''(m) (z - m) / 2,   m the mean of q,

    whose f', f'' and m carry no gradient. E_q t is known from q's mean and covariance, so t takes
    away the noise that a quadratic has and leaves the mean as it is: unbiased for any smooth f, and
    without any noise for a quadratic one. Where f is far from quadratic over q's width, the noise
    may be larger than the plain path's. In an f with a parameter q, log q is held.

    Args:
      num_samples: S, draws of z per call. f is evaluated S + 1 + D times for D latents: its second
        derivatives at the mean are all computed, so for few latents.
    Raises:
      ValueError: num_samples is below one; q is not reparameterizable, or does not say its mean and
        its variance.
    Example:
      >>> f, q = lambda z: (z - 2.0) ** 2, distrax.Normal(0.5, 1.0)
      >>> value, _ = taylor().apply((), jax.random.key(0), f, q)
      >>> print(value)  # 1.5² + 1, from any one draw
      3.25
    Source: Miller et al. (2017), with the Hessian in full.
    """
    num_samples = at_least("num_samples", num_samples, 1)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        held = without_score(f, q)
        samples = reparameterized_samples(key, q, num_samples)
        values = evaluate(held, samples)
        center = jax.lax.stop_gradient(moments(q)[0])
        slope, curvature, known = expansion(held, center, samples.shape[1:])
        control = quadratic_control(q, samples, slope, curvature)
        surrogate = jnp.mean(values) - control
        if held is not f:
            surrogate = first_derivative_only(surrogate, samples)
        return surrogate, Estimate(jax.lax.stop_gradient(values), finite(q, values) & known)

    return Estimator(
        name="taylor",
        apply=apply,
        unbiased=True,
        accepts="any reparameterizable distribution with a mean and a variance",
        evaluations=lambda q: num_samples + 1 + moments(q)[0].size,
    )

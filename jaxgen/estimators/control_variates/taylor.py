"""The pathwise gradient less that of f's quadratic expansion, whose expectation is known."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand
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
        mean, covariance = moments(q)
        center = jax.lax.stop_gradient(mean)

        def at(flat: Array) -> Scalar:
            return evaluate(held, flat.reshape(1, *samples.shape[1:]))[0]

        slope, curvature = jax.lax.stop_gradient((jax.grad(at)(center), jax.hessian(at)(center)))
        known = jnp.all(jnp.isfinite(slope)) & jnp.all(jnp.isfinite(curvature))
        slope, curvature = jnp.where(known, slope, 0.0), jnp.where(known, curvature, 0.0)
        offsets = samples.reshape(num_samples, -1) - center
        control = quadratic(slope, curvature, jnp.mean(offsets, 0), second_moment(offsets))
        shift = mean - center
        control -= quadratic(slope, curvature, shift, covariance + jnp.outer(shift, shift))
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


def quadratic(
    slope: Float[Array, "d"],
    curvature: Float[Array, "d d"],
    first: Float[Array, "d"],
    second: Float[Array, "d d"],
) -> Scalar:
    """Returns the mean of slope x + x^T curvature x / 2 where x has these two moments."""
    return jnp.sum(slope * first) + jnp.sum(curvature * second) / 2


def second_moment(x: Float[Array, "n d"]) -> Float[Array, "d d"]:
    """Returns the mean of x x^T."""
    return jnp.einsum("ni,nj->ij", x, x, precision="highest") / len(x)


def moments(q: Distribution) -> tuple[Float[Array, "d"], Float[Array, "d d"]]:
    """Returns the mean of q and its covariance, its event as a vector.

    Raises:
      ValueError: q does not say them.
    Example:
      >>> moments(distrax.Normal(1.0, 2.0))[1].tolist()
      [[4.0]]
    """
    of: Any = q
    try:
        mean = jnp.asarray(of.mean()).reshape(-1)
        if hasattr(of, "covariance"):
            return mean, jnp.asarray(of.covariance()).reshape(mean.size, mean.size)
        return mean, jnp.diag(jnp.asarray(of.variance()).reshape(-1))
    except (AttributeError, NotImplementedError):
        raise ValueError(
            f"q: got {type(q).__name__}, expected a distribution with a mean and a variance; or "
            "another gradient: pathwise"
        ) from None

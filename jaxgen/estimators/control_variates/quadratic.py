"""A quadratic of samples less its expectation under q, zero in the mean; and that of an f."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgen.estimators.base import Integrand
from jaxgen.estimators.evaluation import evaluate
from jaxgen.types import Distribution, Scalar


def quadratic_control(
    q: Distribution,
    samples: Float[Array, "samples *event"],
    slope: Float[Array, "d"],
    curvature: Float[Array, "d d"],
) -> Scalar:
    """Returns 1/S sum_s t(z_s) - E_q t, t(z) = slope (z - m) + (z - m)^T curvature (z - m) / 2.

    m is the mean of q, held; the gradient is in q's parameters, by the samples' paths and by q's
    mean and covariance.

    Raises:
      ValueError: q does not say its mean and variance.
    Example:
      >>> q = distrax.Normal(1.0, 2.0)
      >>> z = jnp.array([3.0])
      >>> quadratic_control(q, z, jnp.array([1.0]), jnp.array([[1.0]]))  # 2 + 4 / 2 - 4 / 2
      Array(2., dtype=float32)
    """
    mean, covariance = moments(q)
    center = jax.lax.stop_gradient(mean)
    offsets, shift = samples.reshape(len(samples), -1) - center, mean - center
    second = jnp.einsum("ni,nj->ij", offsets, offsets, precision="highest") / len(offsets)
    second -= covariance + jnp.outer(shift, shift)
    return jnp.sum(slope * (jnp.mean(offsets, 0) - shift)) + jnp.sum(curvature * second) / 2


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


def expansion(
    f: Integrand, center: Float[Array, "d"], shape: tuple[int, ...]
) -> tuple[Float[Array, "d"], Float[Array, "d d"], Bool[Array, ""]]:
    """Returns f' and f'' at `center`, held, and whether they are finite; else they are zeros.

    Args:
      f: of one sample.
      center: the sample as a vector.
      shape: that of a sample.
    Example:
      >>> slope, curvature, known = expansion(lambda z: z**2, jnp.array([3.0]), ())
      >>> slope.tolist(), curvature.tolist()
      ([6.0], [[2.0]])
    """

    def at(flat: Array) -> Scalar:
        return evaluate(f, flat.reshape(1, *shape))[0]

    slope, curvature = jax.lax.stop_gradient((jax.grad(at)(center), jax.hessian(at)(center)))
    known = jnp.all(jnp.isfinite(slope)) & jnp.all(jnp.isfinite(curvature))
    return jnp.where(known, slope, 0.0), jnp.where(known, curvature, 0.0), known

"""A sample as a function of a distribution's parameters, the noise behind it given or held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import distrax
import jax
import jax.numpy as jnp
from jax.scipy.special import logit, ndtri
from jaxtyping import Array, Float

_QUANTILES: dict[type, Callable[[Array], Array]] = {
    distrax.Normal: ndtri,
    distrax.Laplace: lambda u: jnp.sign(0.5 - u) * jnp.log1p(-jnp.abs(2 * u - 1)),
    distrax.Logistic: logit,
    distrax.Gumbel: lambda u: -jnp.log(-jnp.log(u)),
}
"""Of what is a location plus a scale times noise: the noise of a uniform."""


def at_fixed_noise(p: Any, z: Array) -> Array:
    """Returns T(e; params of p) at e = T^-1(z; params of p), held: z, with the path's gradient.

    z may come from anywhere in p's support: p need not have drawn it.

    Args:
      p: Normal, Laplace, Logistic or Gumbel, transformations of them (every distrax Gaussian is
        one), and independent ones.
      z: one sample.
    Raises:
      ValueError: p is another.
    Example:
      >>> z = lambda scale: at_fixed_noise(distrax.Normal(1.0, scale), jnp.array(7.0))
      >>> jax.grad(z)(2.0)  # (7 - 1) / 2
      Array(3., dtype=float32, weak_type=True)
    """
    if isinstance(p, distrax.Independent):
        return at_fixed_noise(p.distribution, z)
    if _quantile(p) is not None:
        noise = jax.lax.stop_gradient((z - p.loc) / p.scale)
        return jnp.asarray(p.loc + p.scale * noise)
    if isinstance(p, distrax.Transformed):
        inner = jax.lax.stop_gradient(jnp.asarray(p.bijector.inverse(z)))
        return jnp.asarray(p.bijector.forward(at_fixed_noise(p.distribution, inner)))
    raise ValueError(f"prior: {_refusal(p)}")


def of_uniforms(q: Any, u: Float[Array, "..."]) -> Array:
    """Returns one sample of q, made of as many uniforms as it has noise, of `noise_shape(q)`.

    Raises:
      ValueError: q is none of those of `at_fixed_noise`.
    Example:
      >>> of_uniforms(distrax.Normal(1.0, 2.0), jnp.array(0.5))
      Array(1., dtype=float32)
    """
    if isinstance(q, distrax.Independent):
        return of_uniforms(q.distribution, u)
    quantile = _quantile(q)
    if quantile is not None:
        return jnp.asarray(q.loc + q.scale * quantile(u))
    if isinstance(q, distrax.Transformed):
        return jnp.asarray(q.bijector.forward(of_uniforms(q.distribution, u)))
    raise ValueError(f"q: {_refusal(q)}")


def noise_shape(q: Any) -> tuple[int, ...]:
    """Returns the shape of the noise behind one sample of q.

    Example:
      >>> noise_shape(distrax.MultivariateNormalDiag(jnp.zeros(3), jnp.ones(3)))
      (3,)
    """
    while isinstance(q, distrax.Independent | distrax.Transformed):
        q = q.distribution
    return tuple(q.batch_shape)


def _quantile(p: Any) -> Callable[[Array], Array] | None:
    return next((of for kind, of in _QUANTILES.items() if isinstance(p, kind)), None)


def _refusal(p: Any) -> str:
    return (
        f"got {type(p).__name__}, expected a distrax Normal, Laplace, Logistic or Gumbel, a "
        "transformation of one, or independent ones"
    )

"""A sample as a function of a distribution's parameters, the noise behind it held."""

from __future__ import annotations

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.types import Distribution

_BY_LOC_AND_SCALE = (distrax.Normal, distrax.Laplace, distrax.Logistic, distrax.Gumbel)


def at_fixed_noise(p: Distribution, z: Array) -> Array:
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
    if isinstance(p, _BY_LOC_AND_SCALE):
        noise = jax.lax.stop_gradient((z - p.loc) / p.scale)
        return jnp.asarray(p.loc + p.scale * noise)
    if isinstance(p, distrax.Transformed):
        inner = jax.lax.stop_gradient(jnp.asarray(p.bijector.inverse(z)))
        return jnp.asarray(p.bijector.forward(at_fixed_noise(p.distribution, inner)))
    raise ValueError(
        f"prior: got {type(p).__name__}, expected a distrax Normal, Laplace, Logistic or Gumbel, a "
        "transformation of one, or independent ones"
    )

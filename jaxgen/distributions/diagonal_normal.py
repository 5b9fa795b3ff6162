"""A vector of independent normals."""

from __future__ import annotations

import distrax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.array_checks import of_shape
from jaxgen.distributions.independent import Independent
from jaxgen.numerics import at_least_float32


def diagonal_normal(
    mean: Float[Array, "*batch dims"],
    log_scale: Float[Array, "*batch dims"] | None = None,
    *,
    scale: Float[Array, "*batch dims"] | None = None,
) -> Independent:
    """Returns N(mean, diag(scale)²) over one vector, or a batch of such, in float32 or wider.

    Its parameters are leaves of a pytree, so that an estimator can stop every one of them.

    Args:
      mean: of each dimension.
      log_scale: log of each dimension's standard deviation, as a net gives it.
      scale: or the standard deviation itself.
    Raises:
      ValueError: not exactly one of log_scale and scale is given, or it is not of mean's shape.
    Example:
      >>> q = diagonal_normal(jnp.zeros(3), jnp.zeros(3))  # a net's mean and log scale
      >>> print(q.log_prob(jnp.zeros(3)))  # one event: -3/2 log(2 pi), in nats
      -2.7568
    """
    if log_scale is not None and scale is None:
        scale = jnp.exp(at_least_float32("log_scale", log_scale))
    elif scale is None or log_scale is not None:
        raise ValueError("scale: got both scale and log_scale or neither, expected one of them")
    of_shape("scale", scale, jnp.shape(mean))
    mean, scale = at_least_float32("mean", mean), at_least_float32("scale", scale)
    return Independent(distrax.Normal(mean, scale), 1)

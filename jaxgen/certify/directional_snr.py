"""Signal-to-noise ratio along the gradient against that across it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.array_checks import arrays
from jaxgen.certify.moments import DrawGradient
from jaxgen.certify.running import total, widened
from jaxgen.checks import at_least
from jaxgen.numerics import highest_precision
from jaxgen.types import Key, Params, Scalar


@highest_precision
def directional_snr(
    gradient: DrawGradient, direction: Params, key: Key, num_draws: int, batch_size: int = 100
) -> Scalar:
    """Returns E[|g along u| / |g across u|], u the unit vector of `direction`.

    The plain ratio counts noise along the gradient, which does no harm; this one does not. It needs
    two coordinates or more.

    Args:
      gradient: `key -> gradient`.
      direction: the true gradient, or a mean estimated from other draws.
      num_draws: gradients drawn.
      batch_size: gradients computed at once.
    Raises:
      ValueError: num_draws is below one; the direction is not of the gradient's shape.
    Example:
      >>> direction = jnp.array([2.0, 0.0, 0.0])
      >>> gradient = lambda key: direction + jax.random.normal(key, (3,))
      >>> directional_snr(gradient, direction, jax.random.key(0), 1000)
    Source: Rainforth et al. (2018), the directional signal-to-noise ratio.
    """
    num_draws = at_least("num_draws", num_draws, 1)
    arrays("direction", direction)
    found = jax.tree.map(jnp.shape, jax.eval_shape(gradient, key))
    if jax.tree.map(jnp.shape, direction) != found:
        raise ValueError(
            f"direction: got shapes {jax.tree.map(jnp.shape, direction)}, expected the gradient's, "
            f"{found}"
        )
    direction = widened(direction)
    norm = jnp.sqrt(total(jax.tree.map(jnp.square, direction)))

    def ratio(key_data: Array) -> Scalar:
        g = widened(gradient(jax.random.wrap_key_data(key_data, impl=jax.random.key_impl(key))))
        along = total(jax.tree.map(lambda x, y: x * y, g, direction)) / norm
        across = jax.tree.map(lambda x, y: x - along * y / norm, g, direction)
        return jnp.abs(along) / jnp.sqrt(total(jax.tree.map(jnp.square, across)))

    # As data: under vmap, key-reuse checks take a map over typed keys for a second use.
    keys = jax.random.key_data(jax.random.split(key, num_draws))
    return jnp.mean(jax.lax.map(ratio, keys, batch_size=batch_size))

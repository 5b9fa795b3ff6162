"""Normalization of every channel of every image by itself."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float


def instance_norm(x: Float[Array, "n height width channels"]) -> Float[Array, "..."]:
    """Returns x less its mean over all places, over its standard deviation there, channel by
    channel.

    Without scale and bias, in float32 at least inside; 1e-5 is added to the variance.

    Raises:
      ValueError: there is one place alone, of which nothing would be left.
    Example:
      >>> x = jnp.array([1.0, 3.0]).reshape(1, 2, 1, 1)  # of mean 2 and standard deviation 1
      >>> print(instance_norm(x).ravel())
      [-0.99999 0.99999]
    Source: Ulyanov et al. (2016), "Instance normalization: the missing ingredient for fast
      stylization", equation 4.
    """
    if x.shape[1] * x.shape[2] < 2:
        raise ValueError(
            f"x: got shape {x.shape}, expected feature maps of two places or more: with fewer "
            "halvings or larger images"
        )
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    centered = wide - jnp.mean(wide, axis=(1, 2), keepdims=True)
    variance = jnp.mean(centered**2, axis=(1, 2), keepdims=True)
    # By rsqrt the compiler no longer sees that both players of a game make the same fakes.
    return (centered * (variance + 1e-5) ** -0.5).astype(x.dtype)

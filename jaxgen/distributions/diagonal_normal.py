"""A vector of independent normals."""

from __future__ import annotations

import distrax
import jax.numpy as jnp
from jaxtyping import Array, Float


def diagonal_normal(
    mean: Float[Array, "*batch latent"], log_scale: Float[Array, "*batch latent"]
) -> distrax.Independent:
    """Returns N(mean, diag(exp(log_scale))²) over one vector, or a batch of such."""
    return distrax.Independent(distrax.Normal(mean, jnp.exp(log_scale)), 1)

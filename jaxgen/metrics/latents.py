"""How much of the latent space a model uses."""

from __future__ import annotations

import distrax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def active_units(
    posterior_means: Float[Array, "..."], threshold: float = 0.01
) -> Bool[Array, "latent"]:
    """Returns, per latent dimension, whether Var_x(E_q[z|x]) exceeds `threshold`.

    Args:
      posterior_means: E_q[z|x], [n, latent], one row per datapoint.
      threshold: on the variance over datapoints.
    Raises:
      ValueError: posterior_means is not a matrix of at least two rows.
    Example:
      int(active_units(means).sum())
    Source: Burda et al. (2016), section 4.
    """
    if posterior_means.ndim != 2 or len(posterior_means) < 2:
        raise ValueError(
            f"posterior_means: got shape {posterior_means.shape}, expected (n >= 2, latent)"
        )
    return jnp.var(posterior_means, axis=0) > threshold


def kl_per_dimension(q: distrax.Independent, prior: distrax.Independent) -> Float[Array, "latent"]:
    """Returns KL(q || prior) of one datapoint before it is summed over dimensions, in nats.

    Args:
      q: a posterior whose dimensions are independent.
      prior: likewise.
    Example:
      jnp.mean(jax.vmap(lambda x: kl_per_dimension(model.encode(params, x), prior))(xs), axis=0)
    """
    return jnp.asarray(q.distribution.kl_divergence(prior.distribution))

"""Free bits: a rate that costs nothing up to a level, so that latents are not given up early."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def free_bits(kl: Float[Array, "..."], free_nats: float) -> Float[Array, "n"]:
    """Returns each datapoint's rate with the first `free_nats` of every group of latents free.

    The mean over the batch is sum_g max(free_nats, mean_i KL_ig): a group whose batch mean is below
    the level costs the level and has no gradient, the others cost what they do. Use it in the place
    of the KL in training only; what is reported is the ELBO.

    Args:
      kl: KL(q(z_g|x_i) || p(z_g)) of datapoint i and group g, [n, groups], in nats.
      free_nats: the level, per group.
    Raises:
      ValueError: kl has not that shape, or free_nats is not a number >= 0.
    Example:
      >>> kl = jnp.array([[0.05, 2.0], [0.15, 4.0]])  # two datapoints, two groups
      >>> free_bits(kl, 0.5)  # the first group's mean, .1, is free, and costs the level
      Array([2.5, 4.5], dtype=float32)
    Source: Kingma et al. (2016), equation 15 and appendix C.8.
    """
    if kl.ndim != 2 or not kl.size:
        raise ValueError(f"kl: got shape {kl.shape}, expected (n >= 1, groups >= 1)")
    if not 0 <= free_nats < math.inf:
        raise ValueError(f"free_nats: got {free_nats}, expected a finite number >= 0")
    free = jax.lax.stop_gradient(jnp.mean(kl, axis=0)) <= free_nats  # NaN costs
    return jnp.sum(jnp.where(free, free_nats, kl), axis=1)

"""The importance-weighted bound, log p(x) >= E log 1/K sum_k p(x, z_k) / q(z_k)."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.numerics import log_mean_exp
from jaxgen.types import Distribution, Key, Scalar


def log_importance_weights(
    key: Key, log_joint: Callable[[Array], Array], q: Distribution, num_samples: int
) -> Float[Array, "samples"]:
    """Returns log p(x, z_k) - log q(z_k) for `num_samples` draws from q, of one datapoint, in nats.

    Args:
      log_joint: z to log p(x, z), in nats, for the one x at hand.
      q: the proposal q(z|x).
      num_samples: K.
    Raises:
      ValueError: num_samples is below one; log_joint or q.log_prob is not one number per sample.
    Example:
      >>> prior = distrax.Normal(0.0, 1.0)
      >>> log_joint = lambda z: prior.log_prob(z) + distrax.Normal(z, 1.0).log_prob(2.0)  # x = 2
      >>> q = distrax.Normal(1.0, 0.5**0.5)  # the posterior: each weight is p(x)

      >>> log_importance_weights(jax.random.key(0), log_joint, q, 2)  # log N(2; 0, 2)
      Array([-2.266, -2.266], dtype=float32)
    Source: Burda et al. (2016), equation 7.
    """
    num_samples = at_least("num_samples", num_samples, 1)
    samples = q.sample(seed=key, sample_shape=(num_samples,))

    def log_weight(z: Array) -> Array:
        log_p, log_q = log_joint(z), q.log_prob(z)
        if jnp.shape(log_p) or jnp.shape(log_q):
            raise ValueError(
                f"q: got samples of shape {z.shape} at which log_joint has shape "
                f"{jnp.shape(log_p)} and q.log_prob {jnp.shape(log_q)}, expected one number of "
                "each: make a vector of latents of a batch with distrax.Independent"
            )
        return log_p - log_q

    return jax.vmap(log_weight)(samples)


def importance_weighted_bound(
    key: Key, log_joint: Callable[[Array], Array], q: Distribution, num_samples: int
) -> Scalar:
    """Returns log 1/K sum_k exp(log p(x, z_k) - log q(z_k)) of one datapoint, in nats.

    Its expectation rises with K from the ELBO (K = 1) to log p(x). Differentiable along the samples
    if q is reparameterizable. The mean is over the K samples of this datapoint and nothing else.

    Args:
      log_joint: z to log p(x, z), in nats, for the one x at hand.
      q: the proposal q(z|x).
      num_samples: K.
    Raises:
      ValueError: num_samples is below one.
    Example:
      >>> prior = distrax.Normal(0.0, 1.0)
      >>> log_joint = lambda z: prior.log_prob(z) + distrax.Normal(z, 1.0).log_prob(2.0)  # x = 2
      >>> q = distrax.Normal(1.0, 0.5**0.5)  # the posterior: each weight is p(x)

      >>> importance_weighted_bound(jax.random.key(0), log_joint, q, 50)  # log N(2; 0, 2)
      Array(-2.266, dtype=float32)
    Source: Burda et al. (2016), equation 8.
    """
    return log_mean_exp(log_importance_weights(key, log_joint, q, num_samples), axis=0)

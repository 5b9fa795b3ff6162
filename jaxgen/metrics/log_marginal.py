"""Importance-sampled log likelihood with any number of samples in bounded memory."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.numerics import highest_precision
from jaxgen.objectives import log_importance_weights
from jaxgen.types import Distribution, Key, Scalar


@highest_precision
def log_marginal(
    key: Key,
    log_joint: Callable[[Array], Array],
    q: Distribution,
    num_samples: int,
    *,
    chunk_size: int = 100,
) -> Scalar:
    """Returns log 1/K sum_k p(x, z_k) / q(z_k) of one datapoint, in nats, a lower bound on average.

    The K samples are drawn and weighed `chunk_size` at a time, with products at the highest
    precision that the device has.

    Args:
      log_joint: z to log p(x, z), in nats, for the one x at hand.
      q: the proposal q(z|x).
      num_samples: K.
      chunk_size: samples held in memory at once.
    Raises:
      ValueError: a count is below one.
    Example:
      >>> q = distrax.Independent(distrax.Normal(jnp.zeros(1), jnp.ones(1)), 1)
      >>> log_joint = lambda z: (
      ...     q.log_prob(z) - 89.0
      ... )  # here q is the posterior and log p(x) -89 nats
      >>> nll = -log_marginal(jax.random.key(0), log_joint, q, 50)
      >>> float(nll)
      89.0
    Source: Burda et al. (2016), section 4; Rezende et al. (2014), appendix E.
    """
    num_samples = at_least("num_samples", num_samples, 1)
    chunk_size = min(at_least("chunk_size", chunk_size, 1), num_samples)

    def chunk(index: Array) -> Array:
        weights = log_importance_weights(jax.random.fold_in(key, index), log_joint, q, chunk_size)
        # What the last chunk draws beyond K has no weight.
        wanted = index * chunk_size + jnp.arange(chunk_size) < num_samples
        return jax.nn.logsumexp(jnp.where(wanted, weights, -jnp.inf))

    sums = jax.lax.map(chunk, jnp.arange(-(-num_samples // chunk_size)))
    return jax.nn.logsumexp(sums) - jnp.log(float(num_samples))

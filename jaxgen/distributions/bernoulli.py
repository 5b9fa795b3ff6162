"""Bernoulli pixels with a log probability of one exponential."""

from __future__ import annotations

import distrax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.numerics import at_least_float32, bernoulli_log_prob


class Bernoulli(distrax.Bernoulli):
    """distrax's Bernoulli with float samples and half the transcendental functions.

    Binary images dominate the cost of a small VAE through this term; see
    `numerics.bernoulli_log_prob`. Logits in half precision are widened: the sum over 784 pixels
    would be off by a third of a nat.

    Args:
      logits: log odds of a one.
    Example:
      >>> image = Independent(Bernoulli(jnp.zeros((8, 8, 1))), 3)
      >>> print(image.log_prob(jnp.ones((8, 8, 1))))  # of one image: 64 log 1/2, in nats
      -44.3614
    """

    def __init__(self, logits: Float[Array, "..."]):
        super().__init__(logits=at_least_float32("logits", logits), dtype=jnp.float32)

    def log_prob(self, value: ArrayLike) -> Array:
        """Log mass of `value` in [0, 1], elementwise, in nats."""
        return bernoulli_log_prob(jnp.asarray(self.logits), value)

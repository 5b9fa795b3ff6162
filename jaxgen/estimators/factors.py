"""A discrete q as a product of independent latents with finitely many states each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from tensorflow_probability.substrates import jax as tfp

from jaxgen.types import Distribution


class Factors(NamedTuple):
    """Independent latents by the number of their state; leading axes are free.

    Attributes:
      log_probs: log probability of each state of each latent, in nats.
      decode: states `[..., latents]` of integers -> samples as q draws them.
      encode: samples of q -> their states `[..., latents]`.
    """

    log_probs: Float[Array, "latents states"]
    decode: Callable[[Array], Array]
    encode: Callable[[Array], Array]


def innermost(q: Distribution) -> Any:
    """Returns the distribution of one latent: q without its `Independent`s."""
    latent: Any = q
    while isinstance(latent, distrax.Independent | tfp.distributions.Independent):
        latent = latent.distribution
    return latent


def factors(q: Distribution) -> Factors:
    """Returns the independent latents of a Bernoulli, Categorical or OneHotCategorical q.

    Raises:
      ValueError: q is none of them, nor an Independent of one.
    Example:
      factors(distrax.Bernoulli(jnp.zeros(8))).log_probs  # shape [8, 2], all -log 2
    """
    latent = innermost(q)
    if isinstance(latent, distrax.Bernoulli):
        shape, one_hot = latent.batch_shape, False
        logits = jnp.asarray(latent.logits)
        log_probs = jax.nn.log_sigmoid(jnp.stack([-logits, logits], axis=-1))
    elif isinstance(latent, distrax.Categorical):
        shape, one_hot = latent.batch_shape, isinstance(latent, distrax.OneHotCategorical)
        log_probs = jax.nn.log_softmax(latent.logits)
    else:
        raise ValueError(
            f"q: got {type(latent).__name__}, expected distrax.Bernoulli, distrax.Categorical or "
            "distrax.OneHotCategorical (or Independent of one)"
        )
    num_states, dtype, event = log_probs.shape[-1], latent.dtype, len(shape)

    def decode(states: Array) -> Array:
        states = states.reshape(*states.shape[:-1], *shape)
        return (jax.nn.one_hot(states, num_states) if one_hot else states).astype(dtype)

    def encode(samples: Array) -> Array:
        states = jnp.argmax(samples, axis=-1) if one_hot else samples.astype(int)
        return states.reshape(*states.shape[: states.ndim - event], -1)

    return Factors(log_probs.reshape(-1, num_states), decode, encode)

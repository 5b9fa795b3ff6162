"""Samples without replacement from independent latents: stochastic beam search."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.types import Key


def distinct(
    key: Key, log_probs: Float[Array, "latents states"], count: int
) -> tuple[Int[Array, "count latents"], Float[Array, "count"]]:
    """Returns `count` distinct samples, in the order they come without replacement, and log p.

    The i-th has probability p(s) / (1 - those before it): the largest of log p(s) + Gumbel noise,
    over all states of all latents together, found latent by latent, without listing them.
    If fewer are possible, the last have log p of -inf.

    Args:
      key: of the noise.
      log_probs: of the states of each latent, in nats.
      count: at most states^latents.
    Example:
      >>> distinct(jax.random.key(0), jnp.log(jnp.array([[0.2, 0.8], [0.5, 0.5]])), 4)  # all four
    Source: Kool et al. (2019b), algorithm 1.
    """
    num_latents, num_states = log_probs.shape

    def add_latent(
        beam: tuple[Array, Array, Array], inputs: tuple[Array, Array, Array]
    ) -> tuple[tuple[Array, Array, Array], None]:
        states, so_far, largest = beam
        index, own, noise = inputs
        total = so_far[:, None] + own
        noisy = given_their_largest(total + noise, largest[:, None])
        largest, kept = jax.lax.top_k(noisy.reshape(-1), count)
        states = states[kept // num_states].at[:, index].set(kept % num_states)
        return (states, total.reshape(-1)[kept], largest), None

    first = jnp.where(jnp.arange(count) == 0, 0.0, -jnp.inf).astype(log_probs.dtype)
    beam = jnp.zeros((count, num_latents), int), first, first
    noise = jax.random.gumbel(key, (num_latents, count, num_states), log_probs.dtype)
    inputs = jnp.arange(num_latents), log_probs, noise
    (states, total, _), _ = jax.lax.scan(add_latent, beam, inputs)
    return states, total


def given_their_largest(
    noisy: Float[Array, "*n states"], largest: Float[Array, "*n 1"]
) -> Float[Array, "*n states"]:
    """Returns Gumbels x as they are given their largest: -log(e^-largest - e^-max(x) + e^-x).

    Example:
      >>> given_their_largest(jnp.array([0.0, 2.0]), jnp.array([1.0])).max()
      Array(1., dtype=float32)
    """
    below = noisy - jnp.max(noisy, axis=-1, keepdims=True)
    excess = largest - noisy + jnp.log(-jnp.expm1(below))
    moved = largest - jnp.maximum(excess, 0) - jnp.log1p(jnp.exp(-jnp.abs(excess)))
    impossible = (largest == -jnp.inf) | (noisy == -jnp.inf)
    return jnp.where(impossible, -jnp.inf, moved)

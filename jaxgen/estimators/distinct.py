"""Samples without replacement from independent latents: stochastic beam search."""

from __future__ import annotations

from collections.abc import Callable

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
    noise = jax.random.gumbel(key, (len(log_probs), count, log_probs.shape[1]), log_probs.dtype)

    def perturbed(total: Array, largest: Array, noise: Array) -> Array:
        return given_their_largest(total + noise, largest[:, None])

    return beam_search(log_probs, noise, count, perturbed)


def likeliest(
    log_probs: Float[Array, "latents states"], count: int
) -> tuple[Int[Array, "count latents"], Float[Array, "count"]]:
    """Returns the `count` most probable states of all latents together, and their log p.

    Example:
      >>> likeliest(jnp.log(jnp.array([[0.2, 0.8], [0.4, 0.6]])), 2)[0]  # .48 and .32
      Array([[1, 1],
             [1, 0]], dtype=int32)
    """
    return beam_search(log_probs, log_probs, count, lambda total, best, own: total)


def other_than(
    top: Int[Array, "few latents"], drawn: Int[Array, "more latents"]
) -> Int[Array, "1 latents"]:
    """Returns the first of the distinct `drawn` that is not among the fewer `top`: one there is.

    Example:
      >>> other_than(jnp.array([[1]]), jnp.array([[1], [0]]))
      Array([[0]], dtype=int32)
    """
    among = jnp.any(jnp.all(drawn[:, None] == top, axis=-1), axis=1)
    return drawn[jnp.argmin(among)][None]


def beam_search(
    log_probs: Float[Array, "latents states"],
    inputs: Array,
    count: int,
    rank: Callable[[Array, Array, Array], Array],
) -> tuple[Int[Array, "count latents"], Float[Array, "count"]]:
    """Returns the `count` highest ranked states, in their order, and log p, latent by latent.

    Args:
      log_probs: of the states of each latent, in nats.
      inputs: an array for each latent, which `rank` sees.
      count: of the states that are kept.
      rank: `(log p of the states so far [count, states], rank so far [count], input) -> rank`.
    Example:
      >>> log_probs = jnp.log(jnp.array([[0.2, 0.8], [0.4, 0.6]]))
      >>> beam_search(log_probs, log_probs, 2, lambda total, best, own: total)
    """
    num_latents, num_states = log_probs.shape

    def add_latent(
        beam: tuple[Array, Array, Array], of_latent: tuple[Array, Array, Array]
    ) -> tuple[tuple[Array, Array, Array], None]:
        states, so_far, best = beam
        index, own, seen = of_latent
        total = so_far[:, None] + own
        best, kept = jax.lax.top_k(rank(total, best, seen).reshape(-1), count)
        states = states[kept // num_states].at[:, index].set(kept % num_states)
        return (states, total.reshape(-1)[kept], best), None

    first = jnp.where(jnp.arange(count) == 0, 0.0, -jnp.inf).astype(log_probs.dtype)
    beam = jnp.zeros((count, num_latents), int), first, first
    (states, total, _), _ = jax.lax.scan(
        add_latent, beam, (jnp.arange(num_latents), log_probs, inputs)
    )
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

"""What a discrete q is made of: its latents and their states, or its logits and their noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int
from tensorflow_probability.substrates import jax as tfp

from jaxgen.array_checks import one_distribution
from jaxgen.numerics import at_least_float32
from jaxgen.types import Distribution


class Factors(NamedTuple):
    """Independent latents by the number of their state; leading axes are free.

    Attributes:
      log_probs: log probability of each state of each latent, in nats, in float32 at least.
      decode: states `[..., latents]` of integers -> samples as q draws them.
      encode: samples of q -> their states `[..., latents]`.
    """

    log_probs: Float[Array, "latents states"]
    decode: Callable[[Array], Array]
    encode: Callable[[Array], Array]

    def log_probs_of(self, states: Int[Array, "*n latents"]) -> Float[Array, "*n latents"]:
        """Returns the log probability of each latent's state, in nats."""
        table = self.log_probs.reshape((1,) * (states.ndim - 1) + self.log_probs.shape)
        return jnp.take_along_axis(table, states[..., None], axis=-1)[..., 0]


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
      >>> factors(distrax.Bernoulli(jnp.zeros(8))).log_probs  # shape [8, 2], all -log 2
    """
    latent = innermost(q)
    if isinstance(latent, distrax.Bernoulli):
        shape, one_hot = latent.batch_shape, False
        logits = at_least_float32("logits", jnp.asarray(latent.logits))
        log_probs = jax.nn.log_sigmoid(jnp.stack([-logits, logits], axis=-1))
    elif isinstance(latent, distrax.Categorical):
        shape, one_hot = latent.batch_shape, isinstance(latent, distrax.OneHotCategorical)
        log_probs = jax.nn.log_softmax(at_least_float32("logits", jnp.asarray(latent.logits)))
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


class Latent(NamedTuple):
    """A discrete b as a function of a continuous z: z = logits + noise, b = harden(z).

    Samples are floats of the logits' type and shape: 0 or 1, or one-hot along the last axis. All of
    it is in float32 at least. Under vmap the functions see one z of the shape of the logits.

    Attributes:
      logits: log-odds of a one; or the log probabilities of the K categories, on the last axis.
      noise: `(key, shape, dtype) -> noise`, logistic or Gumbel.
      harden: `z -> b`, the step or the one-hot argmax.
      soften: `z -> sigmoid(z)` or `softmax(z)`; of the logits it is E[b], of z / t the relaxed b.
      residual: `(slope, z, logits) -> gradient in the logits of c(z) - c(z~)`, where slope = c'(z)
        and z~ ~ p(z | b) is reparameterized by noise of its own, coupled so that z~ = z in value.
    """

    logits: Float[Array, "..."]
    noise: Callable[..., Array]
    harden: Callable[[Array], Array]
    soften: Callable[[Array], Array]
    residual: Callable[[Array, Array, Array], Array]


def _step(z: Array) -> Array:
    return (z > 0).astype(z.dtype)


def _argmax(z: Array) -> Array:
    return jax.nn.one_hot(jnp.argmax(z, axis=-1), z.shape[-1], dtype=z.dtype)


def _bernoulli_residual(slope: Array, z: Array, logits: Array) -> Array:
    """With s = 2b - 1 and logistic e, s z~ = softplus(e + softplus(s logits)).

    So d z~ / d logits = (1 - exp(-|z~|)) P(b), while d z / d logits = 1.
    """
    prob_of_drawn = jax.nn.sigmoid(jnp.where(z > 0, logits, -logits))
    return slope * (1.0 + jnp.expm1(-jnp.abs(z)) * prob_of_drawn)


def _categorical_residual(slope: Array, z: Array, logits: Array) -> Array:
    """The largest z~ is logsumexp(logits) + Gumbel, the others are Gumbels cut off at it.

    exp(-z~_i) = E_i exp(-logits_i) + exp(-z~_max) with exponential E_i, so that with
    r = exp(z~ - z~_max), d z~_i / d logits_j = (1 - r_i) [i = j] + r_i softmax(logits)_j.
    """
    kept = slope * jnp.exp(z - jnp.max(z, axis=-1, keepdims=True))
    return kept - jax.nn.softmax(logits) * jnp.sum(kept, axis=-1, keepdims=True)


def _single(q: Any, accepted: str, *kinds: type) -> Any:
    """Returns what q is Independent of, of one of `kinds`, provided that q is one distribution."""
    latent = innermost(q)
    if not isinstance(latent, kinds):
        came = type(latent).__name__
        raise ValueError(f"q: got {came}, expected {accepted} (or Independent of it)")
    one_distribution(q)
    return latent


def bernoulli_logits(q: Distribution) -> Float[Array, "..."]:
    """Returns the logits of q, independent Bernoulli variables, in float32 at least.

    Raises:
      ValueError: q is not one distrax.Bernoulli, or an Independent of them.
    Example:
      >>> bernoulli_logits(distrax.Independent(distrax.Bernoulli(jnp.zeros(8)), 1))  # shape [8]
    """
    latent = _single(q, "distrax.Bernoulli", distrax.Bernoulli)
    return at_least_float32("logits", jnp.asarray(latent.logits))


def relaxable(q: Distribution) -> Latent:
    """Returns z = logits + noise for a q whose samples a relaxation can stand in for.

    Raises:
      ValueError: q is neither one distrax.Bernoulli or distrax.OneHotCategorical, nor an
        Independent of them. Integer categories have nothing between them to relax to.
    Example:
      >>> latent = relaxable(distrax.Bernoulli(logits))
      >>> relaxed = latent.soften((latent.logits + latent.noise(key, logits.shape)) / temperature)
    Source: Maddison et al. (2017a); z given b: Tucker et al. (2017), appendix C.
    """
    latent = _single(
        q,
        "distrax.Bernoulli or distrax.OneHotCategorical",
        distrax.Bernoulli,
        distrax.OneHotCategorical,
    )
    logits = at_least_float32("logits", jnp.asarray(latent.logits))
    if isinstance(latent, distrax.Bernoulli):
        return Latent(logits, jax.random.logistic, _step, jax.nn.sigmoid, _bernoulli_residual)
    return Latent(logits, jax.random.gumbel, _argmax, jax.nn.softmax, _categorical_residual)

"""The logits of a discrete q, and the continuous variable z = logits + noise behind its samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import one_distribution
from jaxgen.estimators.factors import innermost
from jaxgen.types import Distribution


class Latent(NamedTuple):
    """A discrete b as a function of a continuous z: z = logits + noise, b = harden(z).

    Samples are floats of the logits' type and shape: 0 or 1, or one-hot along the last axis. Under
    vmap the functions see one z of the shape of the logits.

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
    """Returns the logits of q, a vector of independent Bernoulli variables.

    Raises:
      ValueError: q is not one distrax.Bernoulli, or an Independent of them.
    Example:
      bernoulli_logits(distrax.Independent(distrax.Bernoulli(jnp.zeros(8)), 1))  # shape [8]
    """
    return _single(q, "distrax.Bernoulli", distrax.Bernoulli).logits


def relaxable(q: Distribution) -> Latent:
    """Returns z = logits + noise for a q whose samples a relaxation can stand in for.

    Raises:
      ValueError: q is neither one distrax.Bernoulli or distrax.OneHotCategorical, nor an
        Independent of them. Integer categories have nothing between them to relax to.
    Example:
      latent = relaxable(distrax.Bernoulli(logits))
      relaxed = latent.soften((latent.logits + latent.noise(key, logits.shape)) / temperature)
    Source: Maddison et al. (2017); z given b: Tucker et al. (2017), appendix C.
    """
    latent = _single(
        q,
        "distrax.Bernoulli or distrax.OneHotCategorical",
        distrax.Bernoulli,
        distrax.OneHotCategorical,
    )
    logits = jnp.asarray(latent.logits)
    if isinstance(latent, distrax.Bernoulli):
        return Latent(logits, jax.random.logistic, _step, jax.nn.sigmoid, _bernoulli_residual)
    return Latent(logits, jax.random.gumbel, _argmax, jax.nn.softmax, _categorical_residual)

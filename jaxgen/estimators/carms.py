"""CARMS: many categorical samples, every two of them antithetic, weighted by importance."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.array_checks import one_distribution
from jaxgen.checks import at_least
from jaxgen.estimators.arms import both_given_one, marks
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.discrete import factors
from jaxgen.estimators.evaluation import evaluate, finite, with_gradient
from jaxgen.estimators.held import without_score
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
def carms(num_samples: int = 2) -> Estimator:
    """Returns the estimator 1/(S(S-1)) sum_s sum_r w_sr (f(z_s) - f(z_r)) dlog q(z_s).

    Each latent is drawn by breaking a stick, from its rarest state to its commonest: state c ends
    it with probability p_c / sum_{k >= c} p_k, and the S samples draw these ends as antithetic as
    ARMS does its bits. w_sr = q(z_s) q(z_r) / q(z_s, z_r), of each latent by itself, makes up for
    that; states that agree have none. Two samples are importance-weighted categorical DisARM, bits
    are ARMS. Unbiased for any f, which is never differentiated in the sample.

    Args:
      num_samples: S, evaluations of f per call.
    Raises:
      ValueError: num_samples is below two; q is neither Bernoulli nor categorical.
    Example:
      >>> def loss(logits, key):
      ...     f, q = lambda z: (z - 1.3) ** 2, distrax.Categorical(logits)
      ...     return carms(4).apply((), key, f, q)[0]
      >>> jax.grad(loss)(jnp.array([0.0, 0.5, 1.0]), jax.random.key(0))
    Source: Dimitriev & Zhou (2021b); two samples: Dong et al. (2021), section 4.
    """
    num_samples = at_least("num_samples", num_samples, 2)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        latents = factors(q)
        one_distribution(q)
        held = jax.lax.stop_gradient(latents.log_probs)
        order = jnp.argsort(held, axis=-1)
        ends = log_ends(chosen(held, order))
        ended = marks(key, num_samples, ends).at[..., -1].set(True)
        at = jnp.argmax(ended, axis=-1)  # the first
        states = chosen(order, at[..., None])[..., 0]
        values = evaluate(without_score(f, q), latents.decode(states))

        first = jnp.minimum(at[:, None], at[None])  # [S, S, latents]
        weights = jnp.exp(chosen(importance(num_samples, ends), first[..., None])[..., 0])
        weights = jnp.where(at[:, None] == at[None], 0.0, weights)
        gains = jnp.sum(weights * (values[:, None] - values)[..., None], axis=1)
        log_probs = latents.log_probs_of(states)
        grad = gains / (num_samples * (num_samples - 1))
        surrogate = with_gradient(jnp.mean(values), grad, log_probs)
        return surrogate, Estimate(jax.lax.stop_gradient(values), finite(q, values, log_probs))

    return Estimator(
        name="carms",
        apply=apply,
        unbiased=True,
        accepts="Bernoulli or categorical",
        evaluations=num_samples,
    )


def chosen(of: Array, at: Int[Array, "..."]) -> Array:
    """Returns `of` at the places `at` of its last axis, for any leading axes of `at`.

    Example:
      >>> chosen(jnp.array([[5, 6], [7, 8]]), jnp.array([[[0], [1]], [[1], [1]]]))[..., 0]
      Array([[5, 8],
             [6, 8]], dtype=int32)
    """
    return jnp.take_along_axis(of.reshape((1,) * (at.ndim - of.ndim) + of.shape), at, axis=-1)


def log_ends(log_probs: Float[Array, "*n states"]) -> Float[Array, "*n states"]:
    """Returns log p_c / sum_{k >= c} p_k, where a stick ends that has not ended before.

    Example:
      >>> jnp.exp(log_ends(jnp.log(jnp.array([0.2, 0.4, 0.4]))))
      Array([0.2, 0.5, 1. ], dtype=float32)
    """
    rest = jax.lax.cumlogsumexp(log_probs, axis=log_probs.ndim - 1, reverse=True)
    return log_probs - rest


def importance(num_samples: int, ends: Float[Array, "*n states"]) -> Float[Array, "*n states"]:
    """Returns log q(c) q(k) / q(c, k), of two sticks the first of which ends at c, k any later.

    Until c both went on, at c one ended and one did not: prod_{j < c} (1 - e_j)^2 / P(0, 0)_j times
    e_c (1 - e_c) / P(1, 0)_c, e the chance that a stick ends.

    Example:
      >>> jnp.exp(importance(2, jnp.log(jnp.array([0.25, 0.5, 1.0])))[:2])  # .75, then 9/8 * 1/2
      Array([0.75  , 0.5625], dtype=float32)
    """
    end, goes_on = jnp.exp(ends), -jnp.expm1(ends)
    differ = 1 - both_given_one(num_samples, ends)
    both_go_on = 2 * jnp.log(goes_on) - jnp.log(goes_on - end * differ)
    before = jnp.cumsum(both_go_on[..., :-1], axis=-1)
    before = jnp.concatenate([jnp.zeros_like(ends[..., :1]), before], axis=-1)
    return before + jnp.log(goes_on) - jnp.log(differ)

"""A hard one-hot sample that moves with the logits as a stand-in does: what is straight through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.discrete import innermost, relaxable
from jaxgen.estimators.evaluation import evaluate, finite
from jaxgen.estimators.held import without_score
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call

StandIn = Callable[[Key, Array, Array], Array]
"""`(key, one_hot, logits) -> stand-in`, all `[..., states]`."""


class OneHots(NamedTuple):
    """A relaxable q as one-hot vectors: a bit is the second of two states.

    Attributes:
      logits: of the states, up to a constant.
      decode: one-hot vectors, hard or relaxed -> samples as f takes them; linear.
    """

    logits: Float[Array, "... states"]
    decode: Callable[[Array], Array]


def one_hots(q: Distribution) -> OneHots:
    """Returns q as one-hot vectors.

    Raises:
      ValueError: q is neither Bernoulli nor one-hot categorical.
    Example:
      >>> one_hots(distrax.Bernoulli(0.3)).logits
      Array([0. , 0.3], dtype=float32)
    """
    logits = relaxable(q).logits
    if isinstance(innermost(q), distrax.Bernoulli):
        return OneHots(jnp.stack([jnp.zeros_like(logits), logits], axis=-1), lambda x: x[..., 1])
    return OneHots(logits, lambda x: x)


def moving(logits: Array) -> Array:
    """Returns zeros that move with the logits; those of -inf, which mask a state, stay."""
    known = jnp.where(logits == -jnp.inf, 0.0, logits)
    return known - jax.lax.stop_gradient(known)


@known_by_call
def through_one_hots(num_samples: int, *, name: str, stand_in: StandIn) -> Estimator:
    """Returns the estimator grad 1/S sum_s f(D_s) that puts d stand_in(D_s) in the place of dD_s.

    Args:
      num_samples: S, draws of the one-hot D ~ q and evaluations of f per call.
      name: of the estimator.
      stand_in: what D moves as with the logits.
    Raises:
      ValueError: num_samples is below one; q is neither Bernoulli nor one-hot categorical.
    Example:
      >>> softmax = lambda key, drawn, logits: jax.nn.softmax(logits)
      >>> through_one_hots(4, name="straight-through", stand_in=softmax)
    """
    num_samples = at_least("num_samples", num_samples, 1)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        logits, decode = one_hots(q)
        key_states, key_soft = jax.random.split(key)
        shape = (num_samples, *logits.shape[:-1])
        states = jax.random.categorical(key_states, logits, shape=shape)
        drawn = jax.nn.one_hot(states, logits.shape[-1], dtype=logits.dtype)
        soft = stand_in(key_soft, drawn, logits)
        samples = decode(drawn + (soft - jax.lax.stop_gradient(soft)))
        values = evaluate(without_score(f, q), samples)
        estimate = Estimate(jax.lax.stop_gradient(values), finite(q, values))
        return jnp.mean(values), estimate

    return Estimator(
        name=name,
        apply=apply,
        unbiased=False,
        accepts="Bernoulli or one-hot categorical",
        evaluations=num_samples,
    )

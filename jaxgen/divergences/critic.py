"""A critic trained on samples of p and q, for a bound or a test."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxgen.array_checks import of_shape
from jaxgen.checks import at_least, between_0_and_1
from jaxgen.divergences.sample_terms import SampleTerms
from jaxgen.pairwise import Samples
from jaxgen.types import Key, Params

_ADAM = optax.adam(1e-3)  # one of them: another would be another value, and compile anew


class TrainedCritic(NamedTuple):
    """A critic and how its training went.

    Attributes:
      params: at the end of training.
      bounds: the bound on each step's batch, before the step.
    Example:
      >>> xs, ys = jnp.ones((8, 1)), jnp.zeros((8, 1))
      >>> bound = lambda v_p, v_q: variational_bound(v_p, v_q, DIVERGENCES["kl"])
      >>> init, apply = lambda key: jnp.zeros(1), lambda w, x: x @ w
      >>> key = jax.random.key(0)
      >>> critic = train_critic(key, xs, ys, bound, init, apply, num_steps=5, batch_size=4)
      >>> critic.bounds.shape, apply(critic.params, xs).shape
      ((5,), (8,))
    """

    params: Params
    bounds: Float[Array, "steps"]


def split_held_out(
    key: Key,
    p_samples: Samples,
    q_samples: Samples,
    held_out: float,
    counts: tuple[int, int],
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Returns the pair to train on and the pair held out, at random.

    Args:
      held_out: part of each of `counts` to hold out.
      counts: such as the sizes of the two sets.
    Raises:
      ValueError: held_out is not between 0 and 1, or leaves fewer than two samples on a side.
    Example:
      >>> xs, ys = jnp.zeros((10, 2)), jnp.zeros((20, 2))
      >>> train, rest = split_held_out(jax.random.key(0), xs, ys, 0.3, (10, 20))
      >>> [len(of_set) for of_set in (*train, *rest)]
      [7, 14, 3, 6]
    """
    between_0_and_1("held_out", held_out)
    train, rest = [], []
    samples_of = {"p_samples": jnp.asarray(p_samples), "q_samples": jnp.asarray(q_samples)}
    keys = jax.random.split(key)
    for (name, samples), count, subkey in zip(samples_of.items(), counts, keys, strict=True):
        size = round(held_out * count)
        if not 2 <= size <= len(samples) - 2:
            raise ValueError(
                f"held_out: got {held_out} of {len(samples)} {name}, expected at least 2 to train "
                "on and 2 to hold out"
            )
        shuffled = jax.random.permutation(subkey, samples)
        train.append(shuffled[size:])
        rest.append(shuffled[:size])
    return (train[0], train[1]), (rest[0], rest[1])


def train_critic(
    key: Key,
    p_samples: Samples,
    q_samples: Samples,
    bound: Callable[[Array, Array], SampleTerms],
    init: Callable[[Key], Params],
    apply: Callable[[Params, Array], Float[Array, "n"]],
    *,
    optimizer: optax.GradientTransformation | None = None,
    num_steps: int,
    batch_size: int,
) -> TrainedCritic:
    """Returns a critic that climbs `bound` of its outputs at batches of p and q.

    Called again with the same functions and shapes, it compiles nothing.

    Args:
      bound: `(v_p, v_q) -> SampleTerms`, such as `variational_bound` of a divergence.
      init: key to params.
      apply: `(params, samples) -> [n]`.
      optimizer: Adam with a step of 1e-3 if not given.
      batch_size: samples drawn from each set for each step, with replacement.
    Raises:
      ValueError: a count is below one; samples of p and q have different shapes.
    Example:
      >>> xs = jax.random.normal(jax.random.key(0), (200, 1))
      >>> bound = lambda v_p, v_q: variational_bound(v_p, v_q, DIVERGENCES["gan"])
      >>> init, apply = lambda key: jnp.zeros(1), lambda w, x: x @ w
      >>> critic = train_critic(
      ...     jax.random.key(1), xs + 1, xs, bound, init, apply, num_steps=50, batch_size=64
      ... )
      >>> critic.params > 0  # larger samples are p's
      Array([ True], dtype=bool)
    """
    p_samples, q_samples = jnp.asarray(p_samples), jnp.asarray(q_samples)
    of_shape("q_samples", q_samples, (len(q_samples), *p_samples.shape[1:]))
    key_init, key_steps = jax.random.split(key)
    return _climb(
        key_steps,
        init(key_init),
        p_samples,
        q_samples,
        bound=bound,
        apply=apply,
        optimizer=_ADAM if optimizer is None else optimizer,
        num_steps=at_least("num_steps", num_steps, 1),
        batch_size=at_least("batch_size", batch_size, 1),
    )


@partial(
    jax.jit,
    static_argnames=("bound", "apply", "optimizer", "num_steps", "batch_size"),
    inline=True,
)
def _climb(key, params, p_samples, q_samples, *, bound, apply, optimizer, num_steps, batch_size):
    def step(carry, index):
        params, state = carry
        keys = jax.random.split(jax.random.fold_in(key, index))
        batches = [
            jnp.take(s, jax.random.randint(k, (batch_size,), 0, len(s)), axis=0)
            for k, s in zip(keys, (p_samples, q_samples), strict=True)
        ]

        def loss(params):
            return -bound(*(apply(params, batch) for batch in batches)).value

        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), -value

    carry = (params, optimizer.init(params))
    (params, _), bounds = jax.lax.scan(step, carry, jnp.arange(num_steps))
    return TrainedCritic(params, bounds)

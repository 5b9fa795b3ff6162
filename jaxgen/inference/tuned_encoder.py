"""An encoder trained on, alone, on the datapoints that it is then asked about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxgen.array_checks import arrays, of_shape
from jaxgen.checks import at_least
from jaxgen.inference.made_once import made_once
from jaxgen.types import Key, Params


def tune_encoder(
    key: Key,
    bound: Callable[[Params, Key, Any], Array],
    encoder: Params,
    xs: Any,
    optimizer: optax.GradientTransformation,
    *,
    num_steps: int,
    batch_size: int,
) -> Params:
    """Returns the encoder's params after it alone has climbed the mean bound of `xs`.

    What it then gives for x is the `tuned_phi` of `inference_gap`: no encoder of its kind does
    better there, so what it still lacks is lost by amortization, not by generalization. Batches are
    drawn with replacement. A pure function, to be compiled.

    Args:
      bound: `(encoder's params, key, x) -> ` one datapoint's ELBO, in nats; the model in it is held
        fixed.
      encoder: the params to start from.
      xs: the datapoints, a pytree of arrays that share their leading axis.
      optimizer: with a step size that falls.
      num_steps: updates.
      batch_size: datapoints in each.
    Raises:
      ValueError: a number is below one; the encoder or xs is no pytree of arrays, or those of xs
        share no leading axis; the bound is not one number.
    Example:
      >>> def bound(slope, key, x):  # the encoder's q is N(slope x, 1), the posterior N(x / 2, 1/2)
      ...     q, prior = distrax.Normal(slope * x, 1.0), distrax.Normal(0.0, 1.0)
      ...     return elbo(key, lambda z: distrax.Normal(z, 1.0).log_prob(x), q, prior).elbo
      >>> xs, falling = jnp.array([-2.0, 1.0, 2.0]), optax.sgd(optax.linear_schedule(0.1, 0.0, 100))
      >>> slope = tune_encoder(
      ...     jax.random.key(0), bound, jnp.float32(0.0), xs, falling, num_steps=100, batch_size=3
      ... )
      >>> slope  # the best is 1/2
      Array(0.48, dtype=float32)
    Source: Cremer et al. (2018), section 3; Zhang et al. (2022), who tell the two apart.
    """
    num_steps = at_least("num_steps", num_steps, 1)
    batch_size = at_least("batch_size", batch_size, 1)
    arrays("encoder", encoder)
    arrays("xs", xs)
    xs = jax.tree.map(jnp.asarray, xs)
    lengths = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(xs)}
    if len(lengths) != 1 or lengths & {(), (0,)}:
        raise ValueError(f"xs: got leading axes {lengths}, expected one in common, of datapoints")
    step = made_once(_step_on_a_batch, bound, optimizer, batch_size)
    start = (key, xs, encoder, optimizer.init(encoder))
    _, _, encoder, _ = jax.lax.scan(step, start, jnp.arange(num_steps))[0]
    return encoder


_Tuning: TypeAlias = tuple[Key, Any, Params, Any]
"""The key, the datapoints, the encoder and the optimizer's state."""


def _step_on_a_batch(
    bound: Callable[[Params, Key, Any], Array],
    optimizer: optax.GradientTransformation,
    batch_size: int,
) -> Callable[[_Tuning, Array], tuple[_Tuning, None]]:
    def step(carry: _Tuning, index: Array) -> tuple[_Tuning, None]:
        key, xs, encoder, opt_state = carry
        key_batch, key_step = jax.random.split(jax.random.fold_in(key, index))
        rows = jax.random.randint(key_batch, (batch_size,), 0, len(jax.tree.leaves(xs)[0]))
        batch = jax.tree.map(lambda leaf: leaf[rows], xs)
        keys = jax.random.split(key_step, batch_size)

        def loss(encoder: Params) -> Array:
            bounds = jax.vmap(bound, (None, 0, 0))(encoder, keys, batch)
            of_shape("bound", bounds[0], ())
            return -jnp.mean(bounds)

        updates, opt_state = optimizer.update(jax.grad(loss)(encoder), opt_state, encoder)
        return (key, xs, optax.apply_updates(encoder, updates), opt_state), None

    return step

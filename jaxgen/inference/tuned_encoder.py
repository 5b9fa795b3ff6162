"""An encoder trained on, alone, on the datapoints that it is then asked about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxgen.checks import at_least
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
      ValueError: a number is below one.
    Example:
      >>> falling = optax.adam(optax.cosine_decay_schedule(1e-3, 2000))
      >>> def bound(encoder, key, x):
      ...     at = observe(model, {**params, "encoder": encoder}, x)
      ...     return elbo(key, at.log_likelihood, at.q, at.prior).elbo
      >>> encoder = tune_encoder(
      ...     key, bound, params["encoder"], xs, falling, num_steps=2000, batch_size=64
      ... )
    Source: Cremer, Li & Duvenaud (2018), section 3; Zhang et al. (2022), who tell the two apart.
    """
    num_steps = at_least("num_steps", num_steps, 1)
    batch_size = at_least("batch_size", batch_size, 1)
    size = len(jax.tree.leaves(xs)[0])

    def step(carry: tuple[Params, Any], index: Array) -> tuple[tuple[Params, Any], None]:
        encoder, opt_state = carry
        key_batch, key_step = jax.random.split(jax.random.fold_in(key, index))
        rows = jax.random.randint(key_batch, (batch_size,), 0, size)
        batch = jax.tree.map(lambda leaf: leaf[rows], xs)
        keys = jax.random.split(key_step, batch_size)

        def loss(encoder: Params) -> Array:
            return -jnp.mean(jax.vmap(bound, (None, 0, 0))(encoder, keys, batch))

        updates, opt_state = optimizer.update(jax.grad(loss)(encoder), opt_state, encoder)
        return (optax.apply_updates(encoder, updates), opt_state), None

    start = (encoder, optimizer.init(encoder))
    return jax.lax.scan(step, start, jnp.arange(num_steps))[0][0]

"""Many updates as one scan: a pass over data that live on the device, or fresh draws each time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from jaxgen.checks import at_least
from jaxgen.train.loss import leading_axis
from jaxgen.train.step import Update
from jaxgen.types import Info, Key

Epoch: TypeAlias = Callable[[Any, Key, Any], tuple[Any, Info]]
"""`(state, key, data) -> (state, infos)`, with a leading axis of steps on every info."""


def scan_epoch(update: Update, batch_size: int) -> Epoch:
    """Returns the epoch that applies `update` to every batch of a fresh permutation of the data.

    The data are a pytree of arrays that share their leading axis of n datapoints. Each call draws
    its own permutation, cuts n // batch_size batches from it and leaves out the n % batch_size
    datapoints that come last, others every time. Batches are gathered inside the scan: no second
    copy of the data, and no slower (60,000 x 784 bytes by 128 on a CPU, with nothing to compute: 52
    ms an epoch, 40 of them for the permutation, against 73 ms with all data permuted first).

    Compile it once with the state donated; further epochs recompile nothing.

    Args:
      update: `(state, key, batch) -> (state, info)`; it gets a new key at every step.
      batch_size: datapoints per update.
    Raises:
      ValueError: batch_size is below one or above n; the arrays have no common leading axis.
    Example:
      >>> def loss(mean, key, batch):
      ...     return jnp.mean((batch - mean) ** 2), {}
      >>> sgd = optax.sgd(0.1)
      >>> epoch = jax.jit(scan_epoch(gradient_step(loss, sgd), batch_size=2), donate_argnums=0)
      >>> state, infos = epoch(init_state(jnp.float32(0.0), sgd), jax.random.key(0), jnp.ones(7))
      >>> infos["loss"].tolist()  # of three batches; one datapoint was left out
      [1.0, 0.64, 0.4096]
    """
    batch_size = at_least("batch_size", batch_size, 1)

    def epoch(state: Any, key: Key, data: Any) -> tuple[Any, Info]:
        size = leading_axis("data", data)
        data = jax.tree.map(jnp.asarray, data)  # NumPy's cannot be indexed inside a scan
        order, keys = order_and_keys(key, size, batch_size)
        rows, key_of = keys_in_a_scan(keys)

        def body(state: Any, at: tuple[jax.Array, jax.Array]) -> tuple[Any, Info]:
            row, indices = at
            return update(state, key_of(row), jax.tree.map(lambda array: array[indices], data))

        return jax.lax.scan(body, state, (rows, order))

    return epoch


def order_and_keys(key: Key, size: int, batch_size: int) -> tuple[jax.Array, jax.Array]:
    """Returns what an epoch draws: the datapoints of each batch, [steps, batch], and its keys.

    Raises:
      ValueError: batch_size is above the number of datapoints.
    """
    if batch_size > size:
        raise ValueError(
            f"batch_size: got {batch_size}, expected at most {size}, the number of datapoints"
        )
    num_batches = size // batch_size
    permutation_key, updates_key = jax.random.split(key)
    order = jax.random.permutation(permutation_key, size)[: num_batches * batch_size]
    return order.reshape(num_batches, batch_size), jax.random.split(updates_key, num_batches)


def scan_draws(
    update: Update, draw: Callable[[Key], Any], num_steps: int
) -> Callable[[Any, Key], tuple[Any, Info]]:
    """Returns the epoch of `num_steps` updates, each of a batch drawn for it alone.

    For data that are a distribution: no datapoint comes twice.

    Args:
      update: `(state, key, batch) -> (state, info)`.
      draw: `key -> batch`.
      num_steps: updates per epoch.
    Raises:
      ValueError: num_steps is below one.
    Example:
      >>> def loss(mean, key, batch):
      ...     return jnp.mean((batch - mean) ** 2), {}
      >>> sgd, draw = optax.sgd(0.1), lambda key: jax.random.normal(key, (64,)) + 5
      >>> epoch = jax.jit(
      ...     scan_draws(gradient_step(loss, sgd), draw, num_steps=100), donate_argnums=0
      ... )
      >>> state, infos = epoch(init_state(jnp.float32(0.0), sgd), jax.random.key(0))
      >>> bool(abs(state.params - 5) < 0.5)
      True
    """
    num_steps = at_least("num_steps", num_steps, 1)

    def epoch(state: Any, key: Key) -> tuple[Any, Info]:
        rows, key_of = keys_in_a_scan(jax.random.split(key, num_steps))

        def body(state: Any, row: jax.Array) -> tuple[Any, Info]:
            draw_key, update_key = jax.random.split(key_of(row))
            return update(state, update_key, draw(draw_key))

        return jax.lax.scan(body, state, rows)

    return epoch


def keys_in_a_scan(keys: jax.Array) -> tuple[jax.Array, Callable[[jax.Array], Key]]:
    """Returns rows of numbers to scan over in the place of keys, and what makes a key of a row.

    Under vmap, key-reuse checks take a scan over typed keys for a second use of them.
    """
    return jax.random.key_data(keys), partial(
        jax.random.wrap_key_data, impl=jax.random.key_impl(keys)
    )

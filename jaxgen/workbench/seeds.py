"""Several trainings in one program, that differ in their start alone or in all that is drawn."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.train import Update
from jaxgen.types import Info, Key


def side_by_side(update: Update) -> Update:
    """Returns the update of several stacked states by one key and batch; the infos are averaged.

    One draw serves all: on the ring, drawing takes a third of a step.

    Example:
      >>> def update(state, key, batch):
      ...     return state + batch, {"all_finite": jnp.array(True)}
      >>> states, info = side_by_side(update)(jnp.zeros(3), key, 1.0)
      >>> states
      Array([1., 1., 1.], dtype=float32)
    """
    each = jax.vmap(update, in_axes=(0, None, None))

    def updated(states: Any, key: Key, batch: Any) -> tuple[Any, Info]:
        states, infos = each(states, key, batch)
        return states, _averaged(infos)

    return updated


def seed_by_seed(update: Update) -> Update:
    """Returns the update of several stacked states, each by a key and a batch of its own.

    What differs between the seeds is all that may: the start, the noise and the order of the data.
    The infos are averaged. The batch is a tuple of one for each state, as `Sets` deals them.

    Example:
      >>> def update(state, key, batch):
      ...     return state + batch, {"all_finite": jnp.array(True)}
      >>> states, info = seed_by_seed(update)(jnp.zeros(2), key, (jnp.float32(1), jnp.float32(2)))
      >>> states
      Array([1., 2.], dtype=float32)
    """

    def updated(states: Any, key: Key, batches: Any) -> tuple[Any, Info]:
        batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *batches)
        states, infos = jax.vmap(update)(states, jax.random.split(key, len(batches)), batch)
        return states, _averaged(infos)

    return updated


def _averaged(infos: Info) -> Info:
    finite = infos["all_finite"].all()
    return {**jax.tree.map(jnp.mean, infos), "all_finite": finite}

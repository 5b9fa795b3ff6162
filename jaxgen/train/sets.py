"""An epoch over several sets that belong to no pairs, such as the two domains of a translation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.checks import at_least
from jaxgen.train.epoch import Epoch, scan_with_keys
from jaxgen.train.loss import leading_axis
from jaxgen.train.step import Update
from jaxgen.types import Info, Key


def scan_sets(update: Update, batch_size: int) -> Epoch:
    """Returns the epoch that applies `update` to batches drawn from every set by itself.

    Each set has an order of its own, new in every epoch, so that what stands at the same place in
    two sets meets no more often than any other pair. The longest set is passed through once, as
    `scan_epoch` does it. A shorter one begins again as often as it must, each time in a new order.

    The data are a tuple (a list, a mapping) of sets, each an array or a pytree of arrays with one
    leading axis; a batch is the same tuple of `batch_size` datapoints of each.

    Args:
      update: `(state, key, batch) -> (state, info)`; it gets a new key at every step.
      batch_size: datapoints of each set per update.
    Raises:
      ValueError: batch_size is below one or above the longest set; a set is empty, or its arrays
        have no common leading axis.
    Example:
      >>> def update(state, key, batch):  # one datapoint of each set; no pairs
      ...     horse, zebra = batch
      ...     return state + 1, {"seen": (horse[0], zebra[0])}
      >>> epoch = jax.jit(scan_sets(update, batch_size=1))
      >>> steps, infos = epoch(0, jax.random.key(0), (jnp.arange(2), jnp.arange(5)))
      >>> int(steps), sorted(infos["seen"][1].tolist())  # the longest set, once
      (5, [0, 1, 2, 3, 4])
    """
    batch_size = at_least("batch_size", batch_size, 1)

    def epoch(state: Any, key: Key, data: Any) -> tuple[Any, Info]:
        sets, structure = jax.tree.flatten(data, is_leaf=lambda node: node is not data)
        sizes = [leading_axis("data", one) for one in sets]
        sets = jax.tree.map(jnp.asarray, sets)  # NumPy's cannot be indexed inside a scan
        if not sizes or min(sizes) == 0:
            raise ValueError(f"data: got sets of {sizes} datapoints, expected at least one in each")
        if batch_size > max(sizes):
            raise ValueError(
                f"batch_size: got {batch_size}, expected at most {max(sizes)}, the number of "
                "datapoints in the longest set"
            )
        num_batches = max(sizes) // batch_size
        *set_keys, updates_key = jax.random.split(key, len(sets) + 1)
        orders = [
            _order(set_key, size, num_batches * batch_size).reshape(num_batches, batch_size)
            for set_key, size in zip(set_keys, sizes, strict=True)
        ]

        def body(state: Any, update_key: Key, at: list[jax.Array]) -> tuple[Any, Info]:
            batch = [
                jax.tree.map(lambda array, at=indices: array[at], one)
                for one, indices in zip(sets, at, strict=True)
            ]
            return update(state, update_key, jax.tree.unflatten(structure, batch))

        return scan_with_keys(body, state, jax.random.split(updates_key, num_batches), orders)

    return epoch


def _order(key: Key, size: int, length: int) -> jax.Array:
    """Returns the first `length` of permutation after permutation of `size` datapoints."""
    times = -(-length // size)
    orders = jax.vmap(lambda key: jax.random.permutation(key, size))(jax.random.split(key, times))
    return orders.reshape(-1)[:length]

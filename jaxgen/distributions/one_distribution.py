"""One distribution, of which `jax.vmap` makes a batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import distrax
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from jaxgen.array_checks import not_bytes, of_event_shape
from jaxgen.types import Key


class OneDistribution(distrax.Distribution):
    """A distribution over one event, such as q(z|x) of one x, that `jax.vmap` turns into a batch.

    What `jax.vmap(lambda x: model.encode(params, x))(xs)` returns is the same object with one axis
    more on every array in it. The axes that the arrays have gained are the batch's, and each method
    maps itself over them, so that a subclass is written for one event alone. One that holds no
    array is the same in every place of a batch, and stays one distribution.

    A subclass sets what it holds, ends its `__init__` with `_is_one()`, and defines `event_shape`,
    `_draws` and `_scores`.

    Example:
      >>> q = jax.vmap(
      ...     lambda x: FunctionDistribution(
      ...         x, (), lambda key, x: x, lambda x, value: -jnp.abs(value - x)
      ...     )
      ... )(jnp.arange(3.0))
      >>> q.batch_shape, q.sample(seed=jax.random.key(0), sample_shape=5).shape
      ((3,), (5, 3))
    """

    def _is_one(self) -> None:
        """Takes the axes that the arrays have now as those of one distribution."""
        self._ndims = tuple(jnp.ndim(leaf) for leaf in jax.tree.leaves(self))

    def _draws(self, key: Key, n: int) -> Any:
        """Returns n events, [n, *event]."""
        raise NotImplementedError

    def _scores(self, events: Array) -> Array:
        """Returns the log probability of each, [n]."""
        raise NotImplementedError

    def _draws_and_scores(self, key: Key, n: int) -> tuple[Array, Array]:
        events = self._draws(key, n)
        return events, self._scores(events)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """() of one distribution; the axes that `jax.vmap` has added."""
        leaves = jax.tree.leaves(self)
        return jnp.shape(leaves[0])[: jnp.ndim(leaves[0]) - self._ndims[0]] if leaves else ()

    def log_prob(self, value: ArrayLike) -> Array:
        """Log probability in nats, of one event or of many on leading axes.

        Raises:
          ValueError: the last axes of `value` are not the batch's and the event's, or it is of
            bytes.
        """
        not_bytes("value", value)
        batch, shape = self.batch_shape, (*self.batch_shape, *self.event_shape)
        of_event_shape(value, shape)
        many = jnp.shape(value)[: jnp.ndim(value) - len(shape)]
        events = jnp.asarray(value).reshape(math.prod(many), *shape)
        scores = self._over_batch(lambda p, events: p._scores(events), 1)(self, events)
        return scores.reshape(*many, *batch)

    def _sample_n(self, key: Key, n: int) -> Any:  # distrax's hook
        return self._over_batch(lambda p, key: p._draws(key, n))(self, self._keys(key))

    def _sample_n_and_log_prob(self, key: Key, n: int) -> tuple[Array, Array]:  # distrax's hook
        draw = self._over_batch(lambda p, key: p._draws_and_scores(key, n))
        return draw(self, self._keys(key))

    def _keys(self, key: Key) -> Any:
        return jax.random.split(key, self.batch_shape) if self.batch_shape else key

    def _over_batch(self, f: Callable[..., Any], axis: int = 0) -> Callable[..., Any]:
        """Returns f of (one distribution, its part along `axis`), mapped; draws stand first."""
        for _ in self.batch_shape:
            f = jax.vmap(f, (0, axis), 1)
        return f

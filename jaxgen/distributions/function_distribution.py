"""A distribution made of two functions: how to draw one event, and how to score one."""

from __future__ import annotations

from collections.abc import Callable

import distrax
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from jaxgen.checks import of_event_shape
from jaxgen.types import Key, Params, Scalar


class FunctionDistribution(distrax.Distribution):
    """p(. ; params), one distribution, with distrax's methods and a pytree of its params.

    Args:
      params: what the two functions are given.
      event_shape: of one event.
      sample: `(key, params) -> event`.
      log_prob: `(params, event) -> ` log probability, in nats.
    Example:
      >>> FunctionDistribution(mean, (3,), lambda key, mean: draw(key, mean), log_density)
    """

    def __init__(
        self,
        params: Params,
        event_shape: tuple[int, ...],
        sample: Callable[[Key, Params], Array],
        log_prob: Callable[[Params, Array], Scalar],
    ):
        super().__init__()
        self._params, self._event_shape = params, event_shape
        self._sample_one, self._log_prob_one = sample, log_prob

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return self._event_shape

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """One distribution."""
        return ()

    def _sample_n(self, key: Key, n: int) -> Array:  # distrax's hook
        return jax.vmap(self._sample_one, (0, None))(jax.random.split(key, n), self._params)

    def log_prob(self, value: ArrayLike) -> Array:
        """Log probability in nats, of one event or of many on leading axes.

        Raises:
          ValueError: the last axes of `value` are not the event's.
        """
        of_event_shape(value, self._event_shape)
        events = jnp.reshape(value, (-1, *self._event_shape))
        log_probs = jax.vmap(self._log_prob_one, (None, 0))(self._params, events)
        return log_probs.reshape(jnp.shape(value)[: jnp.ndim(value) - len(self._event_shape)])

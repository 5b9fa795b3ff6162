"""A distribution made of two functions: how to draw one event, and how to score one."""

from __future__ import annotations

from collections.abc import Callable

import jax
from jaxtyping import Array

from jaxgen.distributions.one_distribution import OneDistribution
from jaxgen.types import Key, Params, Scalar


class FunctionDistribution(OneDistribution):
    """p(. ; params) with distrax's methods: a pytree of its params, a batch under `jax.vmap`.

    Args:
      params: what the two functions are given.
      event_shape: of one event.
      sample: `(key, params) -> event`.
      log_prob: `(params, event) -> ` log probability, in nats.
    Example:
      >>> def draw(key, rate):
      ...     return jax.random.exponential(key) / rate
      >>> def log_density(rate, x):
      ...     return jnp.log(rate) - rate * x
      >>> p = FunctionDistribution(jnp.array(2.0), (), draw, log_density)
      >>> print(p.log_prob(jnp.zeros(4)))  # log 2, of four events
      [0.6931 0.6931 0.6931 0.6931]
    """

    def __init__(
        self,
        params: Params,
        event_shape: tuple[int, ...],
        sample: Callable[[Key, Params], Array],
        log_prob: Callable[[Params, Array], Scalar],
    ):
        super().__init__()
        self._params, self._event_shape = params, tuple(event_shape)
        self._sample_one, self._log_prob_one = sample, log_prob
        self._is_one()

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return self._event_shape

    def _draws(self, key: Key, n: int) -> Array:
        return jax.vmap(self._sample_one, (0, None))(jax.random.split(key, n), self._params)

    def _scores(self, events: Array) -> Array:
        return jax.vmap(self._log_prob_one, (None, 0))(self._params, events)

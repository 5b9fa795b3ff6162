"""A distribution by the chain rule: each entry of an event given those before it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import distrax
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from jaxgen.checks import of_event_shape
from jaxgen.distributions.fixed_point import triangular_fixed_point
from jaxgen.types import DistraxDistribution, Key


class Autoregressive(distrax.Distribution):
    """p(x) = prod_i p(x_i | x before i), for any one order of the entries.

    Nothing is asked of the conditionals but that what they say of an entry depends on those before
    it alone. The order itself is theirs, and nowhere else.

    A draw fixes the noise of every entry, takes all conditionals at some x, draws x from them, and
    does so again until x is its own resample. That is the draw of one entry after another, equal to
    the bit, in as many passes as distant entries matter: some 50, not 784, for digits of 28x28.

    Args:
      conditionals: x to independent distributions of its entries, one event of x's shape. A pytree
        of its params, as `Conditioner` is, so that a gradient estimator finds them.
      event_shape: of x.
    Example:
      >>> p = Autoregressive(conditionals, (28, 28, 1))
      >>> x, passes = p.sample_with_passes(seed=key)
    Source: Frey (1998), "Graphical models for machine learning and digital communication"; sampling
    by fixed point: Wiggers & Hoogeboom (2020), "Predictive sampling with forecasting autoregressive
    models".
    """

    def __init__(self, conditionals: Callable[[Array], Any], event_shape: Sequence[int]):
        super().__init__()
        self.conditionals = conditionals
        self._event_shape = tuple(event_shape)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of x."""
        return self._event_shape

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """One distribution."""
        return ()

    def log_prob(self, value: ArrayLike) -> Array:
        """Log probability in nats, of one event or of many on leading axes.

        Raises:
          ValueError: the last axes of `value` are not the event's.
        """
        of_event_shape(value, self._event_shape)
        events = jnp.reshape(value, (-1, *self._event_shape))
        log_probs = jax.vmap(lambda x: self._conditionals(x).log_prob(x))(events)
        return log_probs.reshape(jnp.shape(value)[: jnp.ndim(value) - len(self._event_shape)])

    def sample_with_passes(
        self, *, seed: Key, sample_shape: tuple[int, ...] = ()
    ) -> tuple[Float[Array, "..."], Int[Array, "..."]]:
        """Returns draws and, for each, the passes over all conditionals that it took.

        The last pass confirms. Draws of one call run together: all take the time of the slowest.
        """
        keys = jax.random.split(seed, math.prod(sample_shape))
        x, passes = jax.vmap(self._sample_one)(keys)
        return x.reshape(*sample_shape, *self._event_shape), passes.reshape(sample_shape)

    def _sample_n(self, key: Key, n: int) -> Array:  # distrax's hook
        return self.sample_with_passes(seed=key, sample_shape=(n,))[0]

    def _sample_one(self, key: Key) -> tuple[Array, Array]:
        def resample(x: Array) -> Array:
            # A clone: the noise is one and the same in all passes.
            return self._conditionals(x).sample(seed=jax.random.clone(key))

        x0 = jnp.zeros(self._event_shape)
        x0 = x0.astype(jax.eval_shape(resample, x0).dtype)
        return triangular_fixed_point(resample, x0, max(1, x0.size))

    def _conditionals(self, x: Array) -> DistraxDistribution:
        p = self.conditionals(x)
        if (tuple(p.batch_shape), tuple(p.event_shape)) != ((), self._event_shape):
            raise ValueError(
                f"conditionals: got a {type(p).__name__} of batch shape {tuple(p.batch_shape)} and "
                f"event shape {tuple(p.event_shape)}, expected one over {self._event_shape}"
            )
        return p

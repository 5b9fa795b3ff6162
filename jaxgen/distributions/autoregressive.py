"""A distribution by the chain rule: each entry of an event given those before it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.distributions.fixed_point import triangular_fixed_point
from jaxgen.distributions.one_distribution import OneDistribution
from jaxgen.types import DistraxDistribution, Key


class Autoregressive(OneDistribution):
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
      >>> def alike(x):  # the first entry is a fair coin, the second likely the same
      ...     logits = jnp.array([0.0, jnp.where(x[0] == 1, 3.0, -3.0)])
      ...     return Independent(Bernoulli(logits), 1)
      >>> p = Autoregressive(alike, (2,))
      >>> print(p.log_prob(jnp.ones(2)))  # log 1/2 + log sigmoid(3), in nats
      -0.7417
      >>> x, passes = p.sample_with_passes(seed=jax.random.key(0))
    Source: Frey (1998), "Graphical models for machine learning and digital communication"; sampling
    by fixed point: Wiggers & Hoogeboom (2020), "Predictive sampling with forecasting autoregressive
    models".
    """

    def __init__(self, conditionals: Callable[[Array], Any], event_shape: Sequence[int]):
        super().__init__()
        self.conditionals = conditionals
        self._event_shape = tuple(event_shape)
        self._is_one()

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of x."""
        return self._event_shape

    def sample_with_passes(
        self, *, seed: Key, sample_shape: tuple[int, ...] = ()
    ) -> tuple[Float[Array, "..."], Int[Array, "..."]]:
        """Returns draws and, for each, the passes over all conditionals that it took.

        The last pass confirms. Draws of one call run together: all take the time of the slowest.
        """
        n = math.prod(sample_shape)
        draw = self._over_batch(lambda p, key: p._draws_with_passes(key, n))

        def as_asked(drawn: Array) -> Array:
            return drawn.reshape(*sample_shape, *drawn.shape[1:])

        return jax.tree.map(as_asked, draw(self, self._keys(seed)))

    def _draws_with_passes(self, key: Key, n: int) -> tuple[Array, Array]:
        return jax.vmap(self._sample_one)(jax.random.split(key, n))

    def _draws(self, key: Key, n: int) -> Array:
        return self._draws_with_passes(key, n)[0]

    def _scores(self, events: Array) -> Array:
        return jax.vmap(lambda x: self._conditionals(x).log_prob(x))(events)

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

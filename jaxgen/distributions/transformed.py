"""What a bijector makes of noise."""

from __future__ import annotations

from typing import Any

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.array_checks import one_distribution
from jaxgen.distributions.one_distribution import OneDistribution
from jaxgen.types import Key


class Transformed(OneDistribution, distrax.Transformed):
    """distrax's Transformed, strict about shapes, zero at infinity, and a batch under `jax.vmap`.

    Args:
      distribution: of the noise, one of distrax's form.
      bijector: from noise to an event.
      event_shape: what that event's shape is; traced if not given.
    Raises:
      ValueError: the distribution is a batch of them.
    Example:
      >>> noise = diagonal_normal(jnp.zeros(2), jnp.zeros(2))
      >>> doubled = Transformed(noise, distrax.Block(distrax.ScalarAffine(0.0, 2.0), 1))
      >>> print(doubled.log_prob(jnp.zeros(2)))  # -log(2 pi) - 2 log 2
      -3.2242
    """

    def __init__(
        self,
        distribution: Any,
        bijector: distrax.Bijector,
        event_shape: tuple[int, ...] | None = None,
    ):
        distrax.Transformed.__init__(self, distribution, bijector)
        one_distribution(distribution)
        self._is_one()
        if event_shape is None:
            self._infer_shapes_and_dtype()
        else:
            self._event_shape = tuple(event_shape)

    def mean(self) -> Array:
        """The mean, of a bijector whose Jacobian is constant.

        Raises:
          NotImplementedError: it is not: average draws.
        """

        def mean(p: Transformed, _: Any) -> Array:
            return jnp.asarray(distrax.Transformed.mean(p))[None]

        return self._over_batch(mean)(self, self)[0]

    def _infer_shapes_and_dtype(self) -> None:  # distrax's hook
        def event(p: Transformed, _: Any) -> Array:
            base = p.distribution
            return jnp.asarray(p.bijector.forward(jnp.zeros(base.event_shape, base.dtype)))[None]

        found = jax.eval_shape(self._over_batch(event), self, self)
        self._event_shape, self._dtype = found.shape[1 + len(self.batch_shape) :], found.dtype

    def _draws(self, key: Key, n: int) -> Array:
        noise = self.distribution.sample(seed=key, sample_shape=n)
        return jax.vmap(lambda one: jnp.asarray(self.bijector.forward(one)))(noise)

    def _draws_and_scores(self, key: Key, n: int) -> tuple[Array, Array]:
        noise, scores = self.distribution.sample_and_log_prob(seed=key, sample_shape=n)
        events, log_dets = jax.vmap(self.bijector.forward_and_log_det)(noise)
        return jnp.asarray(events), jnp.asarray(scores) - jnp.asarray(log_dets)

    def _scores(self, events: Array) -> Array:
        axes = tuple(range(1, events.ndim))
        # Infinity less infinity would be NaN.
        infinite = jnp.any(jnp.isinf(events), axes) & ~jnp.any(jnp.isnan(events), axes)
        finite = jnp.where(jnp.expand_dims(infinite, axes), 0.0, events)
        return jnp.where(infinite, -jnp.inf, distrax.Transformed.log_prob(self, finite))

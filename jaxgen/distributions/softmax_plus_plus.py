"""Softmax++: the bijector from numbers to near categories, of the invertible Gaussian."""

from __future__ import annotations

import distrax
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from jaxgen.checks import positive


class SoftmaxPlusPlus(distrax.Bijector):
    """x_k = e^(y_k / t) / (sum_j e^(y_j / t) + delta), K - 1 numbers to K - 1 of K shares.

    The share of the last state is what is left. A Gaussian y makes x a relaxed category: one-hot as
    t falls, with a gradient through the sample (`estimators.pathwise`). There is an inverse, so the
    KL of two such x, unlike that of two Gumbel-softmaxes, is the KL of their Gaussians. As for any
    relaxation, E[f(x)] is a biased stand-in for f at one-hot vectors.

    Args:
      temperature: t > 0.
      delta: of the last state, in the place of e^(y / t): above zero.
    Raises:
      ValueError: temperature or delta is not above zero.
    Example:
      >>> normal = diagonal_normal(jnp.zeros(2), jnp.zeros(2))
      >>> q = Transformed(normal, SoftmaxPlusPlus(temperature=0.5))
      >>> q.sample(seed=jax.random.key(0)).shape  # shares of the first two of three states
      (2,)
    Source: Potapczynski et al. (2020).
    """

    def __init__(self, temperature: float = 1.0, delta: float = 1.0):
        super().__init__(event_ndims_in=1)
        self._temperature = positive("temperature", temperature)
        self._delta = positive("delta", delta)

    def forward_and_log_det(self, x: ArrayLike) -> tuple[Array, Array]:
        """Returns the shares of all states but the last, and log |d shares / d numbers|."""
        numbers = jnp.asarray(x) / self._temperature
        last = jnp.broadcast_to(jnp.log(self._delta), (*numbers.shape[:-1], 1))
        log_shares = jax.nn.log_softmax(jnp.concatenate([numbers, last], axis=-1))
        # det(diag(s) - s s') is the product of all shares, the last one's too.
        log_det = jnp.sum(log_shares, axis=-1) - numbers.shape[-1] * jnp.log(self._temperature)
        return jnp.exp(log_shares[..., :-1]), log_det

    def inverse_and_log_det(self, y: ArrayLike) -> tuple[Array, Array]:
        """Returns the numbers whose shares these are, and log |d numbers / d shares|."""
        shares = jnp.asarray(y)
        log_last = jnp.log1p(-jnp.sum(shares, axis=-1, keepdims=True))
        numbers = jnp.log(shares) - log_last + jnp.log(self._delta)
        log_det = jnp.sum(jnp.log(shares), axis=-1) + log_last[..., 0]
        count = shares.shape[-1]
        return self._temperature * numbers, count * jnp.log(self._temperature) - log_det

    def same_as(self, other: distrax.Bijector) -> bool:
        """Whether it is known to be the same bijector."""
        mine = (self._temperature, self._delta)
        return isinstance(other, SoftmaxPlusPlus) and mine == (other._temperature, other._delta)

"""The logistic distribution rounded to the levels of a pixel."""

from __future__ import annotations

import distrax
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.distributions.gray_levels import nearest_level, on_level
from jaxgen.numerics import at_least_float32


class DiscretizedLogistic(distrax.Distribution):
    """A logistic density integrated over the bins of `levels` gray values on [0, 1].

    The value k/(levels - 1) has the mass of the interval of width 1/(levels - 1) around it; the
    first and the last bin reach to minus and plus infinity, so the masses sum to one.

    Args:
      loc: center, in units of a full range of one; half precision is widened to float32.
      scale: positive; the standard deviation is scale * pi / sqrt(3).
      levels: number of gray values, 256 for 8-bit pixels.
    Raises:
      ValueError: fewer than two levels.
    Example:
      >>> gray = DiscretizedLogistic(jnp.array(0.5), jnp.array(0.1), levels=2)
      >>> print(gray.log_prob(jnp.array([0.0, 1.0, 0.3])))  # black, white: log 1/2; no level
      [-0.6931 -0.6931 -inf]
    Source: Kingma et al. (2016), appendix; Salimans et al. (2017), equation 2.
    """

    def __init__(self, loc: Float[Array, "..."], scale: Float[Array, "..."], levels: int = 256):
        super().__init__()
        self.loc: Array = at_least_float32("loc", loc)
        self.scale: Array = at_least_float32("scale", scale)
        self.levels: int = at_least("levels", levels, 2)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """One pixel."""
        return ()

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of the parameters."""
        return jnp.broadcast_shapes(self.loc.shape, self.scale.shape)

    def log_prob(self, value: ArrayLike) -> Array:
        """Log mass of a level k/(levels - 1), elementwise, in nats; -inf of what is none.

        Raises:
          ValueError: value is not of floating point, such as bytes, or the numbers k.
        """
        # sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - e^(a - b)): no difference of nearly
        # equal numbers, however far out the bin lies.
        half = 0.5 / (self.levels - 1)
        k = nearest_level(value, self.levels)
        first, last = k == 0, k == self.levels - 1
        middle = k.astype(self.loc.dtype) / (self.levels - 1)
        upper = (middle - self.loc + half) / self.scale
        lower = (middle - self.loc - half) / self.scale
        log_upper = jnp.where(last, 0.0, jax.nn.log_sigmoid(upper))
        log_lower = jnp.where(first, 0.0, jax.nn.log_sigmoid(-lower))
        width = jnp.where(first | last, 0.0, jnp.log(-jnp.expm1(-2.0 * half / self.scale)))
        return on_level(log_upper + log_lower + width, value, self.levels)

    def _sample_n(self, key, n):  # distrax's hook
        noise = jax.random.logistic(key, (n, *self.batch_shape), self.loc.dtype)
        steps = jnp.round((self.loc + self.scale * noise) * (self.levels - 1))
        return jnp.clip(steps, 0, self.levels - 1) / (self.levels - 1)

    def mean(self) -> Array:
        """The mean: the sum of the gray levels' upper tail masses, exactly."""
        edges = (jnp.arange(self.levels - 1) + 0.5) / (self.levels - 1)
        tails = jax.nn.sigmoid((self.loc[..., None] - edges) / self.scale[..., None])
        return jnp.mean(tails, axis=-1)

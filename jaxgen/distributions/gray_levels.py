"""Any distribution over the gray levels of a pixel."""

from __future__ import annotations

import distrax
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from jaxgen.array_checks import floats
from jaxgen.checks import at_least
from jaxgen.numerics import at_least_float32


def nearest_level(value: ArrayLike, levels: int) -> Int[Array, "..."]:
    """Returns the k whose k/(levels - 1) is nearest to a value in [0, 1], elementwise.

    A pixel's value has been rounded: that of level 3 of 17 is stored as round(255 * 3/16)/255.

    Raises:
      ValueError: levels is below two.
    Example:
      >>> int(nearest_level(48 / 255, 17))
      3
    """
    levels = at_least("levels", levels, 2)
    k = jnp.rint(jnp.asarray(value) * (levels - 1)).astype(jnp.int32)
    return jnp.clip(k, 0, levels - 1)


def on_level(log_probs: Array, value: ArrayLike, levels: int) -> Float[Array, "..."]:
    """Returns the log masses of levels for the values nearest to them; -inf of what is no level.

    A value is level k if it is k/(levels - 1), or that as the nearest byte says it, but for two
    units of its dtype's rounding, float32's at least. Of NaN the log mass is NaN.

    Raises:
      ValueError: levels is below two, value is not of floating point, or the two have shapes that
        do not go together.
    Example:
      >>> log_probs = jnp.log(jnp.array([0.5, 0.5, 0.5]))
      >>> print(on_level(log_probs, jnp.array([0.0, 0.5, 0.6]), 3))
      [-0.6931 -0.6931 -inf]
    """
    x = jnp.asarray(value)
    floats("value", x)
    try:
        np.broadcast_shapes(x.shape, jnp.shape(log_probs))
    except ValueError:
        shape = jnp.shape(log_probs)
        raise ValueError(
            f"value: got shape {x.shape}, expected that of log_probs, {shape}"
        ) from None
    rounding = 2 * max(float(jnp.finfo(kind).eps) for kind in (x.dtype, jnp.float32))
    level = nearest_level(x, levels).astype(jnp.promote_types(x.dtype, jnp.float32)) / (levels - 1)
    off = jnp.abs(x - level)
    if levels <= 256:
        off = jnp.minimum(off, jnp.abs(x - jnp.rint(255 * level) / 255))
    return jnp.where(jnp.isnan(x), jnp.nan, jnp.where(off <= rounding, log_probs, -jnp.inf))


class GrayLevels(distrax.Distribution):
    """The value k/(levels - 1) with probability softmax(logits)_k.

    Args:
      logits: [..., levels], two at least; half precision is widened to float32.
    Raises:
      ValueError: fewer than two levels, or logits are not of floating point.
    Example:
      >>> pixel = GrayLevels(jnp.zeros(17))
      >>> print(pixel.log_prob(jnp.array([0.5, 0.51])))  # -log 17, and what is no level
      [-2.8332 -inf]
    """

    def __init__(self, logits: Float[Array, "*batch levels"]):
        super().__init__()
        self.logits: Array = at_least_float32("logits", logits)
        self.levels: int = at_least("levels", (logits.shape or (0,))[-1], 2)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """One pixel."""
        return ()

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of the pixels."""
        return self.logits.shape[:-1]

    def log_prob(self, value: ArrayLike) -> Array:
        """Log mass of a level k/(levels - 1), elementwise, in nats; -inf of what is none.

        Raises:
          ValueError: value is not of floating point, such as bytes, or the numbers k.
        """
        k = nearest_level(value, self.levels)
        shape = jnp.broadcast_shapes(k.shape, self.batch_shape)
        log_probs = jax.nn.log_softmax(self.logits)
        log_probs = jnp.broadcast_to(log_probs, (*shape, self.levels))
        k = jnp.broadcast_to(k, shape)
        log_prob = jnp.take_along_axis(log_probs, k[..., None], axis=-1)[..., 0]
        return on_level(log_prob, value, self.levels)

    def _sample_n(self, key, n):  # distrax's hook
        k = jax.random.categorical(key, self.logits, shape=(n, *self.batch_shape))
        return k.astype(self.logits.dtype) / (self.levels - 1)

    def mean(self) -> Array:
        """The mean value."""
        return jnp.sum(jax.nn.softmax(self.logits) * jnp.linspace(0.0, 1.0, self.levels), axis=-1)

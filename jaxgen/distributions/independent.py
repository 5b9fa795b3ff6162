"""Independent dimensions of one event, whose log probability takes no value of another shape."""

from __future__ import annotations

import distrax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from jaxgen.array_checks import not_bytes, of_event_shape


class Independent(distrax.Independent):
    """distrax's Independent, strict about shapes and summed in float32 or wider.

    distrax broadcasts: an image [8, 8] is then scored 8 times by a likelihood over [8, 8, 1].

    Args:
      distribution: of each dimension.
      reinterpreted_batch_ndims: how many of its batch axes, the last ones, are one event.
    Example:
      >>> image = Independent(Bernoulli(jnp.zeros((8, 8, 1))), 3)
      >>> image.log_prob(jnp.ones((5, 8, 8, 1))).shape  # five images
      (5,)
      >>> image.log_prob(jnp.ones((8, 8)))
      Traceback (most recent call last):
      ValueError: value: got shape (8, 8), expected (8, 8, 1), or more axes before it
    """

    def log_prob(self, value: ArrayLike) -> Array:
        """Log probability in nats, of one event or of many on leading axes.

        Raises:
          ValueError: the last axes of `value` are not the event's, or it is of bytes.
        """
        not_bytes("value", value)
        event = self.event_shape
        of_event_shape(value, event)
        log_probs = jnp.asarray(self.distribution.log_prob(value))
        wide = log_probs.astype(jnp.promote_types(log_probs.dtype, jnp.float32))
        return jnp.sum(wide, axis=[-i - 1 for i in range(self.reinterpreted_batch_ndims)])

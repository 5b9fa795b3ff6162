"""Whether a bijector's inverse undoes it, and its log determinants are those of its Jacobian."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.numerics import highest_precision
from jaxgen.types import Scalar


class BijectorErrors(NamedTuple):
    """By how much a bijector breaks its laws, at the worst of some points.

    Attributes:
      inverse: |inverse(forward(x)) - x|, relative to |x| or one.
      forward_log_det: |log determinant - that of the Jacobian|, in nats.
      inverse_log_det: |log determinant of the inverse + that of the Jacobian|, in nats.
    Example:
      >>> doubled = distrax.Block(distrax.ScalarAffine(1.0, 2.0), 1)
      >>> bijector_errors(doubled, jnp.ones((4, 3))).forward_log_det  # of 3 log 2 nats
      Array(0., dtype=float32)
    """

    inverse: Scalar
    forward_log_det: Scalar
    inverse_log_det: Scalar


@runtime_checkable
class Bijector(Protocol):
    """What is asked of a bijector, in distrax's spelling."""

    def forward(self, x: Any) -> Any:
        """Returns y."""
        ...

    def forward_and_log_det(self, x: Any) -> Any:
        """Returns y, and the log determinant of dy/dx in nats."""
        ...

    def inverse_and_log_det(self, y: Any) -> Any:
        """Returns x, and the log determinant of dx/dy in nats."""
        ...


@highest_precision
def bijector_errors(bijector: Bijector, xs: Float[Array, "n ..."]) -> BijectorErrors:
    """Returns how far a bijector of one event is from its inverse and from its Jacobian.

    Args:
      bijector: in distrax's spelling, from an event of floating numbers to one of as many.
      xs: points of its domain. Memory grows with the square of their size.
    Raises:
      ValueError: the image has another number of entries; xs are no events of the bijector, or
        batches of them.
    Example:
      >>> bijector_errors(
      ...     distrax.Block(distrax.ScalarAffine(1.0, 2.0), 1), jnp.ones((4, 3))
      ... ).inverse
    """
    event_ndims = getattr(bijector, "event_ndims_in", xs.ndim - 1)
    if xs.ndim != 1 + event_ndims:
        raise ValueError(
            f"xs: got shape {xs.shape}, expected one axis before the bijector's own {event_ndims}"
        )

    def one(x: Array) -> tuple[Array, ...]:
        y, log_det = bijector.forward_and_log_det(x)
        if y.size != x.size:
            raise ValueError(f"bijector: got {y.shape} from {x.shape}, expected as many entries")
        back, inverse_log_det = bijector.inverse_and_log_det(y)
        jacobian = jax.jacfwd(bijector.forward)(x).reshape(y.size, x.size)
        expected = jnp.linalg.slogdet(jacobian)[1]
        distance = jnp.max(jnp.abs(back - x) / jnp.maximum(jnp.abs(x), 1.0))
        return distance, jnp.abs(log_det - expected), jnp.abs(inverse_log_det + expected)

    errors = jax.lax.map(one, xs)  # one at a time: a Jacobian is large
    return BijectorErrors(*(jnp.max(error) for error in errors))

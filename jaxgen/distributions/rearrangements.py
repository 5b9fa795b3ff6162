"""What stands between data and the layers of a flow: their entries in another order or shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import distrax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array

from jaxgen.array_checks import from_0_to_1
from jaxgen.checks import at_least


class Permutation(distrax.Bijector):
    """The entries of an event in another order: y.ravel()[i] = x.ravel()[order[i]].

    Args:
      order: of all entries, each once.
      event_ndims: axes of an event.
    Raises:
      ValueError: order is no permutation.
    Example:
      >>> Permutation([2, 0, 1]).forward(jnp.array([1.0, 2.0, 3.0]))
      Array([3., 1., 2.], dtype=float32)
    """

    def __init__(self, order: Sequence[int] | np.ndarray, event_ndims: int = 1):
        super().__init__(
            event_ndims_in=at_least("event_ndims", event_ndims, 0), is_constant_jacobian=True
        )
        order = np.asarray(order)
        integers = np.issubdtype(order.dtype, np.integer)
        if not integers or not np.array_equal(np.sort(order), np.arange(order.size)):
            raise ValueError(f"order: got {order}, expected each of 0 to {order.size - 1} once")
        self._order = tuple(order.tolist())

    def forward_and_log_det(self, x: ArrayLike) -> tuple[Array, Array]:
        """Returns the entries in the new order, and zero."""
        return self._taken(x, np.array(self._order))

    def inverse_and_log_det(self, y: ArrayLike) -> tuple[Array, Array]:
        """Returns the entries in the old order, and zero."""
        return self._taken(y, np.argsort(self._order))

    def same_as(self, other: distrax.Bijector) -> bool:
        """Whether it is known to be the same bijector."""
        return isinstance(other, Permutation) and other._order == self._order

    def _taken(self, x: ArrayLike, order: np.ndarray) -> tuple[Array, Array]:
        x = jnp.asarray(x)
        batch = x.shape[: x.ndim - self.event_ndims_in]
        y = x.reshape(*batch, -1)[..., order].reshape(x.shape)
        return y, jnp.zeros(batch, x.dtype)


class Squeeze(distrax.Bijector):
    """Space to depth: [h, w, c] to [h / side, w / side, side² c], so that channels can be split.

    Args:
      side: of the square of pixels that become the channels of one.
    Raises:
      ValueError: side is below one; in use, it does not divide an image.
    Example:
      >>> Squeeze(2).forward(jnp.zeros((8, 8, 1))).shape
      (4, 4, 4)
    Source: Dinh et al. (2017), section 3.6.
    """

    def __init__(self, side: int = 2):
        super().__init__(event_ndims_in=3, is_constant_jacobian=True)
        self._side = at_least("side", side, 1)

    def forward_and_log_det(self, x: ArrayLike) -> tuple[Array, Array]:
        """Returns the image with more channels, and zero."""
        x = jnp.asarray(x)
        *batch, h, w, c = x.shape
        side = self._side
        if h % side or w % side:
            raise ValueError(f"x: got an image of {h}x{w}, expected multiples of {side}")
        y = x.reshape(*batch, h // side, side, w // side, side, c)
        y = jnp.moveaxis(y, -4, -3).reshape(*batch, h // side, w // side, side**2 * c)
        return y, jnp.zeros(batch, x.dtype)

    def inverse_and_log_det(self, y: ArrayLike) -> tuple[Array, Array]:
        """Returns the image with as many pixels again, and zero."""
        y = jnp.asarray(y)
        *batch, h, w, c = y.shape
        side = self._side
        if c % side**2:
            raise ValueError(f"y: got {c} channels, expected a multiple of {side**2}")
        x = y.reshape(*batch, h, w, side, side, c // side**2)
        x = jnp.moveaxis(x, -4, -3).reshape(*batch, h * side, w * side, c // side**2)
        return x, jnp.zeros(batch, y.dtype)

    def same_as(self, other: distrax.Bijector) -> bool:
        """Whether it is known to be the same bijector."""
        return isinstance(other, Squeeze) and other._side == self._side


def logit(alpha: float = 0.05, event_ndims: int = 3) -> distrax.Chain:
    """Returns x in [0, 1] -> log(y / (1 - y)) of y = alpha + (1 - 2 alpha) x, entry by entry.

    The reals know no edge where a density would have to stop; alpha keeps black and white finite.

    Args:
      alpha: above 0 and below 1/2.
      event_ndims: axes of an event.
    Raises:
      ValueError: alpha is out of range; in use, x is not in [0, 1]. Traced numbers are trusted.
    Example:
      >>> print(logit(event_ndims=1).forward(jnp.array([0.0, 0.25])))  # log .05/.95, log .275/.725
      [-2.9444 -0.9694]
    Source: Dinh et al. (2017), section 4.1.
    """
    if not 0 < alpha < 0.5 or not math.isfinite(alpha):
        raise ValueError(f"alpha: got {alpha}, expected a number above 0 and below 0.5")
    event_ndims = at_least("event_ndims", event_ndims, 0)
    inward = _Inward(alpha, 1 - 2 * alpha)
    return distrax.Chain(
        [distrax.Block(b, event_ndims) for b in (distrax.Inverse(distrax.Sigmoid()), inward)]
    )


class _Inward(distrax.ScalarAffine):
    """From [0, 1] to its inside: what the logit of anything else would be is no number."""

    def forward(self, x: Any) -> Any:
        from_0_to_1("x", x)
        return super().forward(x)

    def forward_log_det_jacobian(self, x: Any) -> Any:
        from_0_to_1("x", x)
        return super().forward_log_det_jacobian(x)

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        return self.forward(x), super().forward_log_det_jacobian(x)

"""Couplings: part of an array is transformed entry by entry, as a net of the rest says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import distrax
import jax
import jax.numpy as jnp
from flax import struct
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.distributions.scalar_transforms import ScalarTransform
from jaxgen.types import Key, Params


@struct.dataclass
class Conditioner:
    """The function from an event, or the part of it that stays, to the numbers of a transform.

    A pytree of its params: a distribution built of it shows them all, to be stopped
    (`sticking_the_landing`) or differentiated, where a closure would hide them.

    Attributes:
      params: of the net.
      context: what else the net sees, or () for nothing.
      key: what the net draws from in training, or None; the same for all values.
      apply: the net, `(params, inputs, key) -> numbers`: of x, or in a context of (x, context).
      event_ndims: axes of one x; what stands before them is a batch.
    Example:
      >>> numbers = Conditioner(2 * jnp.eye(3), (), None, lambda matrix, x, key: matrix @ x)
      >>> numbers(jnp.ones(3)), numbers(jnp.ones((5, 3))).shape  # one event, and five
      (Array([2., 2., 2.], dtype=float32), (5, 3))
    """

    params: Params
    context: Any
    key: Key | None
    apply: Callable[..., Array] = struct.field(pytree_node=False)
    event_ndims: int = struct.field(pytree_node=False, default=1)

    def __call__(self, x: ArrayLike) -> Float[Array, "..."]:
        """Maps one x or a batch of them."""
        x = jnp.asarray(x)
        lead = x.ndim - self.event_ndims
        if not lead:
            return self._one(x)
        numbers = jax.vmap(self._one)(x.reshape(-1, *x.shape[lead:]))
        return numbers.reshape(*x.shape[:lead], *numbers.shape[1:])

    def _one(self, x: Array) -> Array:
        return self.apply(self.params, in_context(x, self.context), self.key)


def in_context(x: Any, context: Any) -> Any:
    """Returns what a net is given: x, or in a context other than () the pair (x, context).

    Example:
      >>> in_context("x", ()), in_context("x", "y")
      ('x', ('x', 'y'))
    """
    return x if isinstance(context, tuple) and context == () else (x, context)


def coupling(
    conditioner: Conditioner,
    split: int,
    transform: ScalarTransform,
    *,
    first_moves: bool = False,
) -> distrax.SplitCoupling:
    """Returns [a, b] -> [a, T(b; numbers(a))], split along the last axis, and its inverse.

    With `affine(math.inf)`, of b ~ N(0, I) it makes b | a ~ N(shift(a), diag(scale(a))²).

    Args:
      conditioner: a to [*shape of b, transform.outputs].
      split: length of a along the last axis.
      transform: of each entry of b.
      first_moves: a is moved by b instead.
    Raises:
      ValueError: split is below one.
    Example:
      >>> def numbers(matrix, kept, key):
      ...     return jnp.stack([matrix @ kept, jnp.zeros(1)], axis=-1)  # shift and log scale
      >>> conditioner = Conditioner(jnp.ones((1, 2)), (), None, numbers)
      >>> shifted = coupling(conditioner, 2, affine())
      >>> shifted.forward(jnp.array([1.0, 2.0, 5.0]))  # the last by the sum of the first two
      Array([1., 2., 8.], dtype=float32)
    Source: Dinh et al. (2017), equations 7 and 8; Durkan et al. (2019), section 3.2.
    """
    return distrax.SplitCoupling(
        at_least("split", split, 1),
        conditioner.event_ndims,
        conditioner,
        transform.bijector,
        swap=first_moves,
    )

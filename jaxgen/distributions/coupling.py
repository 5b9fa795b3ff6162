"""Affine coupling: part of a vector is shifted and scaled by a network of the rest."""

from __future__ import annotations

from collections.abc import Callable

import distrax
import jax.numpy as jnp
from flax import struct
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.types import Key, Params


@struct.dataclass
class Conditioner:
    """The function from the part that stays to the shift and log scale of the part that moves.

    A pytree of its params: a distribution built of it shows them all, to be stopped
    (`sticking_the_landing`) or differentiated, where a closure would hide them.

    Attributes:
      params: of the net.
      context: what else the net sees, before the part that stays.
      key: what the net draws from in training, or None; the same for all values.
      apply: the net, `(params, inputs, key) -> outputs`: one vector [context, part] to [2, size],
        shift and log scale.
    """

    params: Params
    context: Array
    key: Key | None
    apply: Callable[..., Array] = struct.field(pytree_node=False)

    def __call__(self, z: ArrayLike) -> Float[Array, "*batch 2 moved"]:
        """Maps the part that stays, of one vector [kept] or of a batch [*batch, kept]."""

        def one(z: Array) -> Array:
            return self.apply(self.params, jnp.concatenate([self.context, z]), self.key)

        return jnp.vectorize(one, signature="(kept)->(two,moved)")(z)


def _affine(params: Float[Array, "*batch 2 moved"]) -> distrax.ScalarAffine:
    return distrax.ScalarAffine(shift=params[..., 0, :], log_scale=params[..., 1, :])


def affine_coupling(
    conditioner: Conditioner, split: int, *, first_moves: bool = False
) -> distrax.SplitCoupling:
    """Returns [a, b] -> [a, shift(a) + exp(log_scale(a)) b], its log determinant and its inverse.

    Of b ~ N(0, I) it makes b | a ~ N(shift(a), diag(exp(log_scale(a)))²).

    Args:
      conditioner: a to shift and log scale.
      split: length of a.
      first_moves: a is moved by b instead.
    Example:
      distrax.Transformed(base, affine_coupling(conditioner, 2))
    Source: Dinh et al. (2017), equations 7 and 8.
    """
    return distrax.SplitCoupling(split, 1, conditioner, _affine, swap=first_moves)

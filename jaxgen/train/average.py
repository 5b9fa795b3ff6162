"""The exponential moving average of a tree, in float32 at least."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp


def start_average(tree: Any) -> Any:
    """Returns the average before its first step: the tree itself, floats in float32 at least."""
    return jax.tree.map(in_float32_at_least, tree)


def move_average(average: Any, tree: Any, step: jax.Array, decay: float) -> Any:
    """Returns the average with `tree` in it as the last of `step` that were seen.

    The one k steps back has a weight in proportion to decay^k; what the average began with has
    none. A leaf that is not of floats, such as a count, is the last one.
    """
    weight = (1 - decay) / -jnp.expm1(step * math.log(decay))  # 1 at the first step

    def moved(average: jax.Array, leaf: jax.Array) -> jax.Array:
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            return leaf
        return weight * in_float32_at_least(leaf) + (1 - weight) * average

    return jax.tree.map(moved, average, tree)


def in_float32_at_least(x: Any) -> jax.Array:
    """Returns x, in float32 if it was of fewer bits; what is not of floats as it is."""
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return x
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))

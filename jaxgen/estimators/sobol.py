"""Sobol points, scrambled: each uniform on its own, all together spread evenly."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.stats import qmc

from jaxgen.types import Key


def scrambled_sobol(key: Key, count: int, dims: int) -> Float[Array, "count dims"]:
    """Returns the first `count` Sobol points in (0, 1)^dims, their binary digits scrambled.

    Digit r becomes a random sum, modulo 2, of itself and the digits before it, and of a random
    digit: of each dimension the same for all points. Each point is uniform; the set keeps what
    makes it even, best where `count` is a power of two. May be compiled: the points are constants.

    Example:
      >>> u = scrambled_sobol(jax.random.key(0), 8, 3)
      >>> jnp.sort(jnp.floor(8 * u), axis=0)[:, 0].tolist()  # one in each eighth
      [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    Source: Matoušek (1998), "On the L2-discrepancy for anchored boxes".
    """
    key_rows, key_shift = jax.random.split(key)
    place = jnp.arange(32, dtype=jnp.uint32)  # of a digit, from the first one
    own = jnp.uint32(1) << (31 - place)
    before = ~(own | (own - 1))
    rows = (jax.random.bits(key_rows, (dims, 32), jnp.uint32) & before) | own
    shift = jax.random.bits(key_shift, (dims,), jnp.uint32)
    points = jnp.asarray(_points(count, dims))[:, :, None]
    digits = jax.lax.population_count(rows & points) & 1
    scrambled = jnp.sum(digits * own, axis=-1, dtype=jnp.uint32) ^ shift
    # 23 digits and a half: float32 holds these, and neither 0 nor 1 is among them.
    return ((scrambled >> 9).astype(jnp.float32) + 0.5) * 2.0**-23


@functools.lru_cache(maxsize=64)
def _points(count: int, dims: int) -> np.ndarray:
    points = qmc.Sobol(dims, scramble=False, bits=32).random_base2((count - 1).bit_length())
    return (points[:count] * 2.0**32).astype(np.uint32)

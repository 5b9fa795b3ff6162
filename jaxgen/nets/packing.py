"""What lets a critic judge several samples at once: collapse shows between samples, not in one."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least


def pack(x: Float[Array, "n ..."], size: int) -> Float[Array, "packs ..."]:
    """Returns packs of `size` samples in a row, side by side along the last axis.

    Args:
      x: n samples; the last axis is the features, or an image's channels.
      size: samples in a pack.
    Raises:
      ValueError: size does not divide n, or the samples are numbers without an axis.
    Example:
      >>> x = jnp.array([[1.0], [2.0], [3.0], [4.0]])
      >>> print(pack(x, 2))  # two packs of two
      [[1. 2.]
       [3. 4.]]
    Source: Lin et al. (2018), "PacGAN", section 2.
    """
    size = at_least("size", size, 1)
    if x.ndim < 2 or len(x) % size:
        raise ValueError(
            f"x: got shape {x.shape}, expected (n, ..., features) with n divisible by size={size}"
        )
    packs = jnp.moveaxis(x.reshape(-1, size, *x.shape[1:]), 1, -2)
    return packs.reshape(*packs.shape[:-2], -1)


def append_minibatch_stddev(x: Float[Array, "n ..."]) -> Float[Array, "n ..."]:
    """Returns x with one more channel: how much the batch varies, the same number everywhere.

    The number is the standard deviation over the batch, averaged over all features: near zero for
    a batch of one sample repeated.

    Args:
      x: [n, ..., channels].
    Raises:
      ValueError: x has no feature axis.
    Example:
      >>> h = jnp.array([[0.0], [2.0]])
      >>> print(append_minibatch_stddev(h))  # of 0 and 2 the standard deviation is 1
      [[0. 1.]
       [2. 1.]]
    Source: Karras et al. (2018), "Progressive growing of GANs", section 3.
    """
    if x.ndim < 2:
        raise ValueError(f"x: got shape {x.shape}, expected (n, ..., channels)")
    # Rooted a little above zero, where the root has no slope.
    spread = jnp.mean(jnp.sqrt(jnp.var(x, axis=0) + 1e-8))
    return jnp.concatenate([x, jnp.broadcast_to(spread, (*x.shape[:-1], 1))], axis=-1)

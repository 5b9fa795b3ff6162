"""How many samples have a near copy among the others: collapse seen without the modes."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.numerics import all_finite
from jaxgen.pairwise import Samples, map_distances, sample_vectors, squared_differences
from jaxgen.types import Scalar


def duplicate_share(
    samples: Samples, radius: Float[ArrayLike, ""], *, block_size: int = 256
) -> Scalar:
    """Returns the share of samples with another one within `radius`, near 1 after a collapse.

    Compare it with the share among as many datapoints. NaN if a sample is not finite. Time grows
    with n² dims: distances come from differences, however many the dimensions, since those between
    near copies are all that counts.

    Args:
      samples: [n, ...].
      radius: in the unit of the samples.
      block_size: samples compared with all others at a time; memory grows with it and with n.
    Raises:
      ValueError: there are fewer than two samples or they are not of floating point, or block_size
        is below one.
    Example:
      >>> float(duplicate_share(jnp.array([[0.0], [0.001], [5.0]]), 0.01))
      0.6667
    Source: Arora et al. (2018), "Do GANs learn the distribution? Some theory and empirics", for
      collapse seen by duplicates.
    """
    (points,) = sample_vectors(2, samples=samples)
    share = _share_within(points, radius, block_size=at_least("block_size", block_size, 1))
    return jnp.where(all_finite(points), share, jnp.nan)


@partial(jax.jit, static_argnames="block_size", inline=True)
def _share_within(
    points: Float[Array, "n dims"], radius: Float[ArrayLike, ""], *, block_size: int
) -> Scalar:
    def has_another(squares: Array) -> Array:
        return jnp.sqrt(jnp.min(squares)) <= radius

    # A compiler may hold all differences of a block at once (jaxlib 0.10.1 does, on a CPU).
    block_size = min(block_size, max(1, 2**26 // points.size))

    found = map_distances(
        has_another,
        points,
        points,
        leave_one_out=True,
        squares=squared_differences,
        block_size=block_size,
    )
    return jnp.mean(found)

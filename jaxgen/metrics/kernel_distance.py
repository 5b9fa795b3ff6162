"""The kernel distance of two sets of features: unbiased, and with a standard error."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.divergences import mmd_unbiased, polynomial
from jaxgen.types import Key, Scalar


class KernelDistance(NamedTuple):
    """The squared MMD of the cubic kernel.

    Attributes:
      value: unbiased, so negative about half of the time where the two distributions are equal.
      stderr: its standard error, over the subsets.
    """

    value: Scalar
    stderr: Scalar


def kernel_distance(
    key: Key,
    real_features: Float[Array, "..."],
    fake_features: Float[Array, "..."],
    *,
    subset_size: int = 1000,
) -> KernelDistance:
    """Returns the mean of the unbiased squared MMD over as many disjoint subsets as there are.

    The kernel is (x·y / dims + 1)³; with the features of Inception-v3 it is the KID. Unlike the
    Fréchet distance it does not move with the number of samples. The subsets are disjoint, so that
    their spread gives the error of their mean: those of the source overlap, and their mean is no
    more certain for being taken over more of them.

    Args:
      real_features: of the data, [n, dims].
      fake_features: of the samples, [m, dims].
      subset_size: features of each kind in a subset; min(n, m) // subset_size subsets are drawn.
        Memory grows with its square.
    Raises:
      ValueError: the features are no matrices of the same dimension, or subset_size is below two
        or leaves fewer than two subsets.
    Example:
      distance, stderr = kernel_distance(key, real_features, fake_features)
    Source: Binkowski et al. (2018), section 4.
    """
    real_features, fake_features = jnp.asarray(real_features), jnp.asarray(fake_features)
    shapes = real_features.shape, fake_features.shape
    if {len(shape) for shape in shapes} != {2} or shapes[0][1] != shapes[1][1]:
        raise ValueError(
            f"fake_features: got shape {shapes[1]} and real_features of {shapes[0]}, expected "
            "(m, dims) and (n, dims)"
        )
    subset_size = at_least("subset_size", subset_size, 2)
    num_subsets = min(len(real_features), len(fake_features)) // subset_size
    if num_subsets < 2:
        raise ValueError(
            f"subset_size: got {subset_size}, expected at most half of the smaller set, "
            f"{min(len(real_features), len(fake_features)) // 2}"
        )

    def subsets(key: Key, count: int) -> Array:
        chosen = jax.random.permutation(key, count)[: num_subsets * subset_size]
        return chosen.reshape(num_subsets, subset_size)

    def distance(chosen: tuple[Array, Array]) -> Scalar:
        real, fake = chosen
        return mmd_unbiased(real_features[real], fake_features[fake], polynomial()).value

    key_real, key_fake = jax.random.split(key)
    values = jax.lax.map(
        distance,
        (subsets(key_real, len(real_features)), subsets(key_fake, len(fake_features))),
    )
    return KernelDistance(jnp.mean(values), jnp.std(values, ddof=1) / jnp.sqrt(num_subsets))

"""How many different things a generator makes, from how soon it repeats itself."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Shaped

from jaxgen.checks import at_least
from jaxgen.numerics import wilson_interval
from jaxgen.types import Scalar


class SupportSize(NamedTuple):
    """An estimate of the size of a support.

    Attributes:
      estimate: infinite if no batch held a duplicate, at least 1.
      low: where the interval begins.
      high: where it ends; infinite if so few batches held a duplicate that there may be any number.
      collisions: share of the batches with a duplicate.
    Example:
      >>> found = support_size(jnp.array([False, False]), 100)
      >>> float(found.estimate), float(found.high)  # no batch held a duplicate
      (inf, inf)
    """

    estimate: Scalar
    low: Scalar
    high: Scalar
    collisions: Scalar


def support_size(
    duplicated: Shaped[Array, "..."], batch_size: int, *, confidence: float = 0.95
) -> SupportSize:
    """Returns the number N of equally likely things that would repeat as often.

    A batch of s draws from N is free of duplicates with probability exp(-s (s - 1) / 2N), to first
    order in s / N: about s = 1.2 sqrt(N) make an even chance, where the estimate is best. If
    not all are equally likely, N is 1 / sum p², and the support itself may be much larger. How near
    two images must lie to be duplicates is the caller's to say; for data that are all different it
    should give an infinite estimate.

    Args:
      duplicated: of each batch, whether two of its samples are duplicates.
      batch_size: s.
      confidence: of the interval, Wilson's of the share of batches.
    Raises:
      ValueError: duplicated is not one boolean per batch, batch_size is below two, or confidence is
        not between 0 and 1.
    Example:
      >>> batches = jax.random.randint(jax.random.key(0), (50, 12, 1), 0, 100) / 100.0
      >>> duplicated = jax.lax.map(lambda xs: duplicate_share(xs, 1e-4) > 0, batches)
      >>> found = support_size(duplicated, batches.shape[1])
      >>> bool(found.low < 100 < found.high)
      True
    Source: Arora et al. (2018), "Do GANs learn the distribution? Some theory and empirics", section
      3; Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    batch_size = at_least("batch_size", batch_size, 2)
    if duplicated.ndim != 1 or duplicated.dtype != bool or not len(duplicated):
        raise ValueError(
            f"duplicated: got {duplicated.dtype} of shape {duplicated.shape}, expected one boolean "
            "per batch, (batches >= 1,)"
        )
    share = jnp.mean(duplicated, dtype=jnp.float32)
    low, high = wilson_interval(share, len(duplicated), confidence=confidence)

    def size(collisions: Scalar) -> Scalar:
        pairs = batch_size * (batch_size - 1) / 2
        return jnp.maximum(pairs / -jnp.log1p(-collisions), 1.0)

    return SupportSize(size(share), size(high), size(low), share)

"""Which modes of a known mixture a generator reaches, and how evenly: collapse, in numbers."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import entr, xlogy
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from jaxgen.numerics import all_finite, at_least_float32
from jaxgen.types import Scalar


class ModeCoverage(NamedTuple):
    """How samples fall on the modes.

    Judge by `entropy` together with `covered`: samples scattered between the modes have a high
    entropy and cover none.

    Attributes:
      covered: modes with at least one good sample.
      entropy: of the histogram, in nats; at most log k.
      reverse_kl: KL of the histogram from the mixture's weights, in nats; 0 is best.
      high_quality: share of the samples that are good, within so many standard deviations of
        their nearest mode.
      histogram: share of the samples nearest to each mode, good or not.
    """

    covered: Int[Array, ""]
    entropy: Scalar
    reverse_kl: Scalar
    high_quality: Scalar
    histogram: Float[Array, "k"]


def mode_coverage(
    samples: Float[Array, "..."],
    modes: Float[Array, "..."],
    scales: Float[ArrayLike, "..."],
    *,
    weights: Float[Array, "k"] | None = None,
    num_std: float = 3.0,
) -> ModeCoverage:
    """Returns which modes the samples reach and how evenly; NaN if a sample is not finite.

    Args:
      samples: [n, dims].
      modes: centers of the mixture, [k, dims].
      scales: the standard deviation of each component, or of all.
      weights: of the components; equal if not given.
      num_std: how many standard deviations from its mode a good sample lies at most.
    Raises:
      ValueError: samples and modes are no matrices of the same dimension, or not of floating
        point.
    Example:
      target = ring()
      mode_coverage(samples, target.modes, target.scales).covered  # of 8
    Source: Srivastava et al. (2017), section 4.1, for good samples and covered modes; Lin et al.
      (2018), section 4.1, for the reverse KL.
    """
    if samples.ndim != 2 or modes.ndim != 2 or samples.shape[1] != modes.shape[1]:
        raise ValueError(
            f"samples: got shape {samples.shape} and modes of {modes.shape}, expected (n, dims) "
            "and (k, dims)"
        )
    samples, modes = at_least_float32("samples", samples), at_least_float32("modes", modes)
    count = len(modes)
    finite = all_finite(samples)
    distances = jnp.linalg.norm(samples[:, None] - modes, axis=-1)
    nearest = jnp.argmin(distances, axis=1)
    good = jnp.min(distances, axis=1) <= num_std * jnp.broadcast_to(scales, (count,))[nearest]
    belongs = jax.nn.one_hot(nearest, count)
    histogram = jnp.where(finite, jnp.mean(belongs, axis=0), jnp.nan)
    weights = jnp.full((count,), 1 / count) if weights is None else weights
    entropy = jnp.sum(entr(histogram))
    return ModeCoverage(
        covered=jnp.sum(jnp.any(belongs * good[:, None] > 0, axis=0)),
        entropy=entropy,
        reverse_kl=-entropy - jnp.sum(xlogy(histogram, weights)),
        high_quality=jnp.where(finite, jnp.mean(good), jnp.nan),
        histogram=histogram,
    )


def duplicate_share(samples: Float[Array, "..."], radius: Float[ArrayLike, ""]) -> Scalar:
    """Returns the share of samples with another one within `radius`, near 1 after a collapse.

    Compare it with the share among as many datapoints. NaN if a sample is not finite. Holds all n²
    differences in memory.

    Args:
      samples: [n, dims].
      radius: in the unit of the samples.
    Raises:
      ValueError: samples is not a matrix of at least two rows, or not of floating point.
    Example:
      duplicate_share(samples, 1e-3)
    Source: Arora & Zhang (2018) for collapse seen by duplicates.
    """
    if samples.ndim != 2 or len(samples) < 2:
        raise ValueError(f"samples: got shape {samples.shape}, expected (n >= 2, dims)")
    samples = at_least_float32("samples", samples)
    # Differences, not an expanded square: near duplicates are all that counts here.
    distances = jnp.linalg.norm(samples[:, None] - samples, axis=-1)
    others = distances + jnp.diag(jnp.full(len(samples), jnp.inf))
    share = jnp.mean(jnp.min(others, axis=1) <= radius)
    return jnp.where(all_finite(samples), share, jnp.nan)

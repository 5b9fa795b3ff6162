"""Which modes of a known mixture a generator reaches, and how evenly: collapse, in numbers."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import entr, xlogy
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from jaxgen.array_checks import of_shape
from jaxgen.numerics import all_finite
from jaxgen.pairwise import Samples, is_nearest, sample_vectors, squared_differences
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
      histogram: share of the samples nearest to each mode, good or not; a sample as near to two
        modes counts as half a sample of each.
    Example:
      >>> modes = jnp.array([[0.0], [10.0]])
      >>> coverage = mode_coverage(jnp.zeros((4, 1)), modes, 1.0)
      >>> int(coverage.covered), coverage.histogram.tolist(), float(coverage.evenness)
      (1, [1.0, 0.0], 0.0)
    """

    covered: Int[Array, ""]
    entropy: Scalar
    reverse_kl: Scalar
    high_quality: Scalar
    histogram: Float[Array, "k"]

    @property
    def evenness(self) -> Scalar:
        """The entropy as a share of the greatest, log k (Pielou's evenness)."""
        return self.entropy / math.log(self.histogram.shape[-1])


def mode_coverage(
    samples: Samples,
    modes: Samples,
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
      ValueError: samples and modes differ in dimension, or are not of floating point; scales or
        weights are not one for each mode.
    Example:
      >>> target = ring()
      >>> samples = target.sample(seed=jax.random.key(0), sample_shape=200)
      >>> int(mode_coverage(samples, target.modes, target.scales).covered)
      8
    Source: Srivastava et al. (2017), "VEEGAN", section 4.1, for good samples and covered modes; Lin
      et al. (2018), "PacGAN", section 4.1, for the reverse KL.
    """
    points, centers = sample_vectors(samples=samples, modes=modes)
    count, finite = len(centers), all_finite(points)
    if np.shape(scales) not in ((), (count,)):
        raise ValueError(f"scales: got shape {np.shape(scales)}, expected () or ({count},)")
    if weights is not None:
        of_shape("weights", weights, (count,))
    squares = squared_differences(points, centers)
    nearest = is_nearest(squares)
    belongs = nearest / jnp.sum(nearest, axis=1, keepdims=True)
    good = belongs * (
        jnp.sqrt(squares) <= num_std * jnp.broadcast_to(jnp.asarray(scales), (count,))
    )
    histogram = jnp.where(finite, jnp.mean(belongs, axis=0), jnp.nan)
    weights = jnp.full((count,), 1 / count) if weights is None else jnp.asarray(weights)
    entropy = jnp.sum(entr(histogram))
    return ModeCoverage(
        covered=jnp.sum(jnp.any(good > 0, axis=0)),
        entropy=entropy,
        reverse_kl=-entropy - jnp.sum(xlogy(histogram, weights)),
        high_quality=jnp.where(finite, jnp.mean(jnp.sum(good, axis=1)), jnp.nan),
        histogram=histogram,
    )

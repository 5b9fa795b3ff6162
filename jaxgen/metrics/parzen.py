"""Parzen windows: a likelihood for samples without one, kept because the field has reported it."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least, positive
from jaxgen.numerics import log_mean_exp
from jaxgen.pairwise import matrices, squared_distances
from jaxgen.types import Scalar


def parzen_log_likelihood(
    samples: Float[Array, "..."],
    points: Float[Array, "..."],
    bandwidth: float | Scalar,
    *,
    block_size: int = 256,
) -> Float[Array, "m"]:
    """Returns log 1/n sum_i N(x; s_i, bandwidth² I) at each point x, in nats.

    Do not judge a model by it. In many dimensions it is far from the model's likelihood at any
    number of samples, and its order is wrong: on small images it ranks the centroids of k-means
    above real training images, and so a model of blurred prototypes above the data.

    Args:
      samples: of the generator, s_i: [n, dims].
      points: held-out data, x: [m, dims].
      bandwidth: of the Gaussian kernel, as chosen by `parzen_bandwidth`.
      block_size: points at a time; memory grows with it and with n.
    Raises:
      ValueError: the sets are no matrices of the same dimension, bandwidth is a number that is not
        positive, or block_size is below one.
    Example:
      parzen_log_likelihood(samples, test, parzen_bandwidth(samples, validation, bandwidths)).mean()
    Source: Breuleux et al. (2011); Theis et al. (2016), section 3.2, for the warning.
    """
    samples, points = matrices(samples=samples, points=points)
    bandwidth = positive("bandwidth", bandwidth)
    scaled = samples / bandwidth
    log_normalizer = samples.shape[1] * (jnp.log(bandwidth) + 0.5 * math.log(2 * math.pi))

    def of_one(point: Array) -> Array:
        squares = squared_distances((point / bandwidth)[None], scaled)[0]
        return log_mean_exp(-0.5 * squares, axis=0)

    block_size = at_least("block_size", block_size, 1)
    return jax.lax.map(of_one, points, batch_size=block_size) - log_normalizer


def parzen_bandwidth(
    samples: Float[Array, "..."],
    validation: Float[Array, "..."],
    bandwidths: Float[Array, "k"],
    *,
    block_size: int = 256,
) -> Scalar:
    """Returns the bandwidth under which the validation set is likeliest; NaN if that is not finite.

    Args:
      samples: of the generator, [n, dims].
      validation: data that are neither trained nor tested on, [m, dims].
      bandwidths: to choose from, all positive.
      block_size: as in `parzen_log_likelihood`.
    Raises:
      ValueError: as `parzen_log_likelihood`.
    Example:
      parzen_bandwidth(samples, validation, jnp.geomspace(0.05, 1.0, 10))
    Source: Breuleux et al. (2011).
    """

    def mean(bandwidth: Array) -> Array:
        values = parzen_log_likelihood(samples, validation, bandwidth, block_size=block_size)
        return jnp.mean(values)

    means = jax.lax.map(mean, bandwidths)
    return jnp.where(jnp.all(jnp.isfinite(means)), bandwidths[jnp.argmax(means)], jnp.nan)

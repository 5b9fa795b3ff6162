"""Parzen windows: a likelihood for samples without one, kept because the field has reported it."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least, positive
from jaxgen.numerics import log_mean_exp, one_per_sample
from jaxgen.pairwise import Samples, map_distances, sample_vectors
from jaxgen.types import Scalar


def parzen_log_likelihood(
    points: Samples, samples: Samples, bandwidth: float | Scalar, *, block_size: int = 256
) -> Float[Array, "m"]:
    """Returns log 1/n sum_i N(x; s_i, bandwidth² I) at each point x, in nats.

    Do not judge a model by it. In many dimensions it is far from the model's likelihood at any
    number of samples, and its order is wrong: on small images it ranks the centroids of k-means
    above real training images, and so a model of blurred prototypes above the data.

    Args:
      points: held-out data, x: [m, ...].
      samples: of the generator, s_i: [n, ...].
      bandwidth: of the Gaussian kernel, as chosen by `parzen_bandwidth`.
      block_size: points at a time; memory grows with it and with n.
    Raises:
      ValueError: points and samples differ in shape, bandwidth is a number that is not positive, or
        block_size is below one.
    Example:
      >>> points, samples = jnp.zeros((1, 2)), jnp.zeros((5, 2))
      >>> parzen_log_likelihood(points, samples, 1.0).tolist()  # -log 2 pi
      [-1.8379]
    Source: Breuleux et al. (2011), "Quickly generating representative samples from an RBM-derived
      process"; Theis et al. (2016), "A note on the evaluation of generative models", section 3.2,
      for the warning.
    """
    xs, of_model = sample_vectors(points=points, samples=samples)
    block_size = at_least("block_size", block_size, 1)
    return _log_likelihood(xs, of_model, positive("bandwidth", bandwidth), block_size=block_size)


@partial(jax.jit, static_argnames="block_size", inline=True)
def _log_likelihood(
    xs: Float[Array, "m dims"],
    samples: Float[Array, "n dims"],
    bandwidth: Scalar,
    *,
    block_size: int,
) -> Float[Array, "m"]:
    log_normalizer = samples.shape[1] * (jnp.log(bandwidth) + 0.5 * math.log(2 * math.pi))
    log_means = map_distances(
        lambda squares: log_mean_exp(-0.5 * squares, axis=0),
        xs / bandwidth,
        samples / bandwidth,
        block_size=block_size,
    )
    return log_means - log_normalizer


def parzen_bandwidth(
    validation: Samples, samples: Samples, bandwidths: Samples, *, block_size: int = 256
) -> Scalar:
    """Returns the bandwidth under which the validation set is likeliest; NaN if that is not finite.

    Args:
      validation: data that are neither trained nor tested on, [m, ...].
      samples: of the generator, [n, ...].
      bandwidths: to choose from, all positive: [k].
      block_size: as in `parzen_log_likelihood`.
    Raises:
      ValueError: as `parzen_log_likelihood`.
    Example:
      >>> validation, samples = jax.random.normal(jax.random.key(0), (2, 100, 1))
      >>> float(parzen_bandwidth(validation, samples, jnp.array([0.001, 0.3, 100.0])))
      0.3
    Source: Breuleux et al. (2011), "Quickly generating representative samples from an RBM-derived
      process".
    """
    xs, of_model = sample_vectors(validation=validation, samples=samples)
    choices = one_per_sample("bandwidths", bandwidths)
    block_size = at_least("block_size", block_size, 1)
    means = _mean_log_likelihoods(xs, of_model, choices, block_size=block_size)
    return jnp.where(jnp.all(jnp.isfinite(means)), choices[jnp.argmax(means)], jnp.nan)


@partial(jax.jit, static_argnames="block_size", inline=True)
def _mean_log_likelihoods(
    xs: Float[Array, "m dims"],
    samples: Float[Array, "n dims"],
    bandwidths: Float[Array, "k"],
    *,
    block_size: int,
) -> Float[Array, "k"]:
    def mean(bandwidth: Array) -> Array:
        return jnp.mean(_log_likelihood(xs, samples, bandwidth, block_size=block_size))

    return jax.lax.map(mean, bandwidths)

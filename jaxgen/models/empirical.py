"""Data as a model of themselves: repeated as they are, or each the center of a Gaussian."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from jaxgen.checks import positive
from jaxgen.distributions import FunctionDistribution
from jaxgen.models.density import Density
from jaxgen.numerics import at_least_float32, log_mean_exp
from jaxgen.pairwise import squared_distances
from jaxgen.types import Key, Params, Scalar

Points = Float[Array | np.ndarray, "n *event"]

SAME = 1e-5
"""How far entries may differ that are equal, as gray levels do that were rounded in two ways."""


def memorizer(points: Points) -> Density:
    """Returns p(x) = the share of the points that are x: each drawn with probability 1/n.

    The best of all fits to its points, and -inf elsewhere. Of continuous data it has no density,
    and only its draws mean anything. Of k-means centroids it is the model that the Parzen estimate
    likes better than the data. Params: `points`.

    Args:
      points: of any one shape; half precision is widened to float32.
    Raises:
      ValueError: there are none, or they are not finite numbers of floating point.
    Example:
      >>> p = memorizer(jnp.array([[0.0], [1.0], [1.0]]))
      >>> params = p.init(jax.random.key(0), ())
      >>> print(p.distribution(params, ()).log_prob(jnp.array([[1.0], [0.5]])))  # log 2/3, none
      [-0.4055 -inf]
    Source: Theis et al. (2016), "A note on the evaluation of generative models", section 3.
    """

    def log_prob(points: Array, x: Array) -> Scalar:
        same = jnp.all(jnp.abs(points - x) <= SAME, axis=tuple(range(1, points.ndim)))
        return jnp.log(jnp.mean(same, dtype=points.dtype))

    return _of_points(points, lambda key, point: point, log_prob)


def parzen_window(points: Points, bandwidth: float) -> Density:
    """Returns p(x) = 1/n sum_i N(x; point_i, bandwidth² I): noisy copies, with their exact density.

    Params: `points`.

    Args:
      points: of any one shape; half precision is widened to float32.
      bandwidth: standard deviation of the noise.
    Raises:
      ValueError: there are no points, they are not finite numbers of floating point, or the
        bandwidth is not positive.
    Example:
      >>> p = parzen_window(jnp.array([[0.0], [100.0]]), bandwidth=1.0)
      >>> params = p.init(jax.random.key(0), ())
      >>> print(p.distribution(params, ()).log_prob(jnp.zeros(1)))  # log(1/2 N(0; 0, 1))
      -1.6121
    Source: Parzen (1962), "On estimation of a probability density function and mode".
    """
    positive("bandwidth", bandwidth)

    def sample(key: Key, point: Array) -> Array:
        return point + bandwidth * jax.random.normal(key, point.shape, point.dtype)

    def log_prob(points: Array, x: Array) -> Scalar:
        rows, row = (of.reshape(-1, x.size) / bandwidth for of in (points, x))
        (squares,) = squared_distances(row, rows)
        log_normalizer = x.size * (jnp.log(bandwidth) + 0.5 * jnp.log(2 * jnp.pi))
        return log_mean_exp(-0.5 * squares, axis=0) - log_normalizer

    return _of_points(points, sample, log_prob)


def _of_points(points: Any, sample: Any, log_prob: Any) -> Density:
    """Returns the density that draws about a point, any with the same probability."""
    points = at_least_float32("points", jnp.asarray(points))
    if not points.ndim or not len(points):
        raise ValueError(f"points: got shape {points.shape}, expected at least one")
    if not isinstance(points, Tracer) and not np.isfinite(points).all():
        raise ValueError("points: got numbers that are not finite, expected finite ones")

    def draw(key: Key, points: Array) -> Array:
        key_point, key_noise = jax.random.split(key)
        return sample(key_noise, points[jax.random.randint(key_point, (), 0, len(points))])

    def distribution(params: Params, context: Any) -> FunctionDistribution:
        kept = params["points"]
        return FunctionDistribution(kept, kept.shape[1:], draw, log_prob)

    return Density(lambda key, context: {"points": points}, distribution)

"""The Fréchet distance of two sets of features: how far apart the Gaussians fitted to them are."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.numerics import all_finite, at_least_float32
from jaxgen.types import Scalar


class GaussianMoments(NamedTuple):
    """A Gaussian by its mean and a factor of its covariance.

    The factor, not the covariance: of rounding errors the factor keeps eps, and a square root
    taken of the covariance sqrt(eps), which in float32 is seen. For a covariance from elsewhere,
    `jnp.linalg.cholesky(covariance).T`.

    Attributes:
      mean: of the features.
      factor: factor.T @ factor is the covariance, which may have any rank.
    """

    mean: Float[Array, "dims"]
    factor: Float[Array, "rows dims"]


def gaussian_moments(features: Float[Array, "..."]) -> GaussianMoments:
    """Returns the mean and the unbiased covariance of features, to be kept for many comparisons.

    Args:
      features: [n, dims]; n may be less than dims.
    Raises:
      ValueError: features is not a matrix of at least two rows, or not of floating point.
    Example:
      real = gaussian_moments(classifier_features(train_images))
    """
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features: got shape {features.shape}, expected (n >= 2, dims)")
    features = at_least_float32("features", features)
    mean = jnp.mean(features, axis=0)
    triangle = jnp.linalg.qr(features - mean, mode="r")
    return GaussianMoments(mean, triangle / jnp.sqrt(len(features) - 1.0))


def gaussian_frechet_distance(p: GaussianMoments, q: GaussianMoments) -> Scalar:
    """Returns |m_p - m_q|² + tr(S_p + S_q - 2 (S_p S_q)^½), the squared 2-Wasserstein distance.

    The trace of the root is the sum of the singular values of factor_p factor_q^T: no root of a
    matrix is taken, and none needs full rank. Rounding leaves some 1e-6 (float32) of the traces.
    NaN if a moment is not finite.

    Raises:
      ValueError: p and q have not the same dimension.
    Example:
      gaussian_frechet_distance(real, gaussian_moments(features))
    Source: Dowson & Landau (1982), equation 4.
    """
    if p.mean.shape != q.mean.shape:
        raise ValueError(f"q: got features of shape {q.mean.shape}, expected {p.mean.shape}, as p")
    cross = jnp.matmul(p.factor, q.factor.T, precision=jax.lax.Precision.HIGHEST)
    spread = jnp.sum(p.factor**2) + jnp.sum(q.factor**2)
    overlap = jnp.sum(jnp.linalg.svd(cross, compute_uv=False))
    distance = jnp.sum((p.mean - q.mean) ** 2) + spread - 2 * overlap
    # Rounding alone can make it negative; whatever a library's SVD makes of NaN, it stays NaN.
    return jnp.where(all_finite((p, q)), jnp.maximum(distance, 0.0), jnp.nan)


def frechet_distance(
    real_features: Float[Array, "..."], fake_features: Float[Array, "..."]
) -> Scalar:
    """Returns the Fréchet distance of the Gaussians fitted to two sets of features.

    With the features of Inception-v3 it is the FID. It sees means and covariances alone, and only
    numbers of the same features and the same n and m compare, for it is biased upwards: between
    equal Gaussians of d dimensions and variance one its mean is (1/n + 1/m) d (d + 5) / 4, to first
    order. Report it beside the distance of as many held-out data.

    Args:
      real_features: of the data, [n, dims].
      fake_features: of the samples, [m, dims].
    Raises:
      ValueError: a set is not a matrix of at least two rows, or they differ in dimension.
    Example:
      frechet_distance(classifier_features(test_images), classifier_features(samples))
    Source: Heusel et al. (2017), equation 6; Binkowski et al. (2018), section 4, for the bias.
    """
    return gaussian_frechet_distance(
        gaussian_moments(real_features), gaussian_moments(fake_features)
    )

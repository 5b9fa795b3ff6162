"""The Fréchet distance of two sets of features: how far apart the Gaussians fitted to them are."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.numerics import all_finite
from jaxgen.pairwise import Samples, sample_vectors
from jaxgen.types import Scalar


class GaussianMoments(NamedTuple):
    """A Gaussian by its mean and a factor of its covariance.

    The factor, not the covariance: of rounding errors the factor keeps eps, and a square root
    taken of the covariance sqrt(eps), which in float32 is seen. A covariance from elsewhere has the
    factor sqrt(max(values, 0))[:, None] * vectors.T of `numpy.linalg.eigh`, whatever its rank.

    Attributes:
      mean: of the features.
      factor: factor.T @ factor is the covariance, which may have any rank.
    Example:
      >>> GaussianMoments(jnp.zeros(3), jnp.eye(3)).mean.shape  # N(0, I)
      (3,)
      >>> covariance = np.array([[4.0, 0.0], [0.0, 0.0]])  # from elsewhere, of any rank
      >>> values, vectors = np.linalg.eigh(covariance)
      >>> factor = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
      >>> (factor.T @ factor).tolist()
      [[4.0, 0.0], [0.0, 0.0]]
    """

    mean: Float[Array, "dims"]
    factor: Float[Array, "rows dims"]


class FrechetDistance(NamedTuple):
    """How far apart two Gaussians are.

    Attributes:
      value: |m_p - m_q|² + tr(S_p + S_q - 2 (S_p S_q)^½).
      of_means: |m_p - m_q|², the part of the means; the rest is that of the covariances.
    Example:
      >>> xs = jax.random.normal(jax.random.key(0), (50, 2))
      >>> found = frechet_distance(xs, xs + 1)
      >>> float(found.value), float(found.of_means)
      (2.0, 2.0)
    """

    value: Scalar
    of_means: Scalar


def gaussian_moments(features: Samples) -> GaussianMoments:
    """Returns the mean and the unbiased covariance of features, to be kept for many comparisons.

    Args:
      features: [n, dims]; n may be less than dims.
    Raises:
      ValueError: there are fewer than two samples, or they are not of floating point.
    Example:
      >>> moments = gaussian_moments(jnp.array([[0.0], [2.0]]))  # of the data, to be kept
      >>> float(moments.mean[0]), float(abs(moments.factor[0, 0]))  # 1 and sqrt(2)
      (1.0, 1.414)
    """
    (vectors,) = sample_vectors(2, features=features)
    mean = jnp.mean(vectors, axis=0)
    triangle = jnp.linalg.qr(vectors - mean, mode="r")
    return GaussianMoments(mean, triangle / jnp.sqrt(len(vectors) - 1.0))


def gaussian_frechet_distance(p: GaussianMoments, q: GaussianMoments) -> FrechetDistance:
    """Returns |m_p - m_q|² + tr(S_p + S_q - 2 (S_p S_q)^½), the squared 2-Wasserstein distance.

    The trace of the root is the sum of the singular values of factor_p factor_q^T: no root of a
    matrix is taken, and none needs full rank. Rounding leaves some 1e-6 (float32) of the traces.
    NaN if a moment is not finite.

    Raises:
      ValueError: p and q have not the same dimension.
    Example:
      >>> p, q = (
      ...     GaussianMoments(jnp.zeros(1), jnp.eye(1)),
      ...     GaussianMoments(jnp.ones(1), 3 * jnp.eye(1)),
      ... )
      >>> float(gaussian_frechet_distance(p, q).value)  # 1² + (3 - 1)²
      5.0
    Source: Dowson & Landau (1982), "The Fréchet distance between multivariate normal
      distributions", equation 4.
    """
    if p.mean.shape != q.mean.shape:
        raise ValueError(f"q: got features of shape {q.mean.shape}, expected {p.mean.shape}, as p")
    cross = jnp.matmul(p.factor, q.factor.T, precision=jax.lax.Precision.HIGHEST)
    spread = jnp.sum(p.factor**2) + jnp.sum(q.factor**2)
    overlap = jnp.sum(jnp.linalg.svd(cross, compute_uv=False))
    of_means = jnp.sum((p.mean - q.mean) ** 2)
    # Rounding alone can make it negative; whatever a library's SVD makes of NaN, it stays NaN.
    distance = jnp.maximum(of_means + spread - 2 * overlap, 0.0)
    return FrechetDistance(jnp.where(all_finite((p, q)), distance, jnp.nan), of_means)


def frechet_distance(real_features: Samples, fake_features: Samples) -> FrechetDistance:
    """Returns the Fréchet distance of the Gaussians fitted to two sets of features.

    With the features of Inception-v3 it is the FID. It sees means and covariances alone, and only
    numbers of the same features and the same n and m compare, for it is biased upwards: between
    equal Gaussians of d dimensions and variance one its mean is (1/n + 1/m) d (d + 5) / 4, to first
    order. Report it beside the distance of as many held-out data.

    Args:
      real_features: of the data, [n, dims].
      fake_features: of the samples, [m, dims].
    Raises:
      ValueError: a set has fewer than two samples, or they differ in dimension.
    Example:
      >>> xs = jax.random.normal(jax.random.key(0), (50, 2))
      >>> float(frechet_distance(xs, xs + jnp.array([3.0, 0.0])).value)
      9.0
    Source: Heusel et al. (2017), "GANs trained by a two time-scale update rule converge to a local
      Nash equilibrium", equation 6; Bińkowski et al. (2018), "Demystifying MMD GANs", section 4,
      for the bias.
    """
    reals, fakes = sample_vectors(2, real_features=real_features, fake_features=fake_features)
    return gaussian_frechet_distance(gaussian_moments(reals), gaussian_moments(fakes))

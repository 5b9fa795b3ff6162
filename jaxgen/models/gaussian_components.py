"""Gaussians as components of a mixture, with full or diagonal covariance."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.array_checks import of_shape
from jaxgen.checks import not_negative
from jaxgen.models.mixture import ComponentFamily
from jaxgen.numerics import highest_precision
from jaxgen.types import Key
from jaxgen.values import known_by_call


class FullGaussian(NamedTuple):
    """N(mean, covariance).

    Example:
      >>> component = FullGaussian(mean=jnp.zeros(2), covariance=jnp.eye(2))
      >>> print(full_gaussian().log_prob(component, jnp.zeros(2)))  # -log(2 pi)
      -1.8379
    """

    mean: Float[Array, "dims"]
    covariance: Float[Array, "dims dims"]


class DiagonalGaussian(NamedTuple):
    """N(mean, diag(variance)).

    Example:
      >>> component = DiagonalGaussian(mean=jnp.zeros(2), variance=jnp.ones(2))
      >>> print(diagonal_gaussian().log_prob(component, jnp.zeros(2)))  # -log(2 pi)
      -1.8379
    """

    mean: Float[Array, "dims"]
    variance: Float[Array, "dims"]


@known_by_call
def full_gaussian(min_variance: float = 0.0) -> ComponentFamily:
    """Returns the family of Gaussians whose covariance has no eigenvalue below `min_variance`.

    The fit is the exact constrained maximum: the weighted covariance with its small eigenvalues
    raised. The likelihood of a mixture thus still never falls, which adding a ridge to the diagonal
    would not give. At zero a component may shrink onto a few datapoints, where the likelihood has
    no bound and `em` says so by `all_finite`.

    Args:
      min_variance: in the square of the data's unit.
    Raises:
      ValueError: it is negative.
    Example:
      >>> xs = jnp.array([[0.0, 0.0], [2.0, 2.0]])
      >>> component = full_gaussian(min_variance=0.5).fit(xs, jnp.array([0.5, 0.5]))
      >>> print(component.mean, jnp.linalg.eigvalsh(component.covariance).round(2))  # 0 is raised
      [1. 1.] [0.5 2. ]
    Source: Bishop (2006), equations 9.23 to 9.26.
    """
    not_negative("min_variance", min_variance)

    @highest_precision
    def log_prob(component: FullGaussian, x: Array) -> Array:
        of_shape("x", x, component.mean.shape)
        scale = jnp.linalg.cholesky(component.covariance)
        # Inverted, because it is every datapoint's: under vmap a solve would be one per datapoint.
        whiten = jax.scipy.linalg.solve_triangular(
            scale, jnp.eye(len(x), dtype=x.dtype), lower=True
        )
        whitened = whiten @ (x - component.mean)
        log_det = 2 * jnp.sum(jnp.log(jnp.diagonal(scale)))
        return -0.5 * (jnp.sum(whitened**2) + log_det + len(x) * jnp.log(2 * jnp.pi))

    @highest_precision
    def fit(xs: Array, weights: Array) -> FullGaussian:
        _check_rows(xs)
        mean = weights @ xs
        centered = xs - mean
        covariance = (weights[:, None] * centered).T @ centered
        values, vectors = jnp.linalg.eigh(covariance)
        return FullGaussian(mean, (vectors * jnp.maximum(values, min_variance)) @ vectors.T)

    @highest_precision
    def sample(key: Key, component: FullGaussian) -> Array:
        noise = jax.random.normal(key, component.mean.shape, component.mean.dtype)
        return component.mean + jnp.linalg.cholesky(component.covariance) @ noise

    return ComponentFamily(log_prob, fit, sample)


@known_by_call
def diagonal_gaussian(min_variance: float = 0.0) -> ComponentFamily:
    """Returns the family of Gaussians with independent dimensions, each variance >= `min_variance`.

    Args:
      min_variance: in the square of the data's unit.
    Raises:
      ValueError: it is negative.
    Example:
      >>> xs = jnp.array([[0.0], [2.0], [10.0], [12.0]])
      >>> q = jnp.array(
      ...     [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
      ... )  # which component each is of
      >>> fitted = fit_mixture(diagonal_gaussian(min_variance=1e-3), q, xs).components
      >>> print(fitted.mean.ravel(), fitted.variance.ravel())
      [ 1. 11.] [1. 1.]
    Source: Bishop (2006), section 9.2.2.
    """
    not_negative("min_variance", min_variance)

    def log_prob(component: DiagonalGaussian, x: Array) -> Array:
        of_shape("x", x, component.mean.shape)
        standardized = (x - component.mean) ** 2 / component.variance
        return -0.5 * jnp.sum(standardized + jnp.log(2 * jnp.pi * component.variance))

    @highest_precision
    def fit(xs: Array, weights: Array) -> DiagonalGaussian:
        _check_rows(xs)
        mean = weights @ xs
        return DiagonalGaussian(mean, jnp.maximum(weights @ (xs - mean) ** 2, min_variance))

    def sample(key: Key, component: DiagonalGaussian) -> Array:
        noise = jax.random.normal(key, component.mean.shape, component.mean.dtype)
        return component.mean + jnp.sqrt(component.variance) * noise

    return ComponentFamily(log_prob, fit, sample)


def _check_rows(xs: Array) -> None:
    if xs.ndim != 2:
        raise ValueError(
            f"xs: got shape {xs.shape}, expected (datapoints, dims): make vectors of "
            "images, which `reshaped` makes images again"
        )

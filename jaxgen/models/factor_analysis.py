"""Factor analysis and probabilistic PCA: z ~ N(0, I), x | z ~ N(W z + mean, diag(noise))."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import not_negative, of_shape
from jaxgen.inference import EMSteps
from jaxgen.numerics import highest_precision
from jaxgen.types import Scalar


class FactorModel(NamedTuple):
    """The parameters.

    Attributes:
      loadings: W.
      mean: of x.
      noise_variance: of each dimension of x given z; all alike in probabilistic PCA.
    """

    loadings: Float[Array, "dims factors"]
    mean: Float[Array, "dims"]
    noise_variance: Float[Array, "dims"]


class FactorPosterior(NamedTuple):
    """q(z) = N(mean, covariance), of one datapoint; the exact covariance is every datapoint's."""

    mean: Float[Array, "*datapoints factors"]
    covariance: Float[Array, "factors factors"]


NoiseModel: TypeAlias = Callable[[Float[Array, "dims"]], Float[Array, "dims"]]
"""The mean squared residual of each dimension to the noise variance of greatest likelihood."""


def independent(residual: Float[Array, "dims"]) -> Float[Array, "dims"]:
    """Returns one noise variance per dimension: factor analysis."""
    return residual


def isotropic(residual: Float[Array, "dims"]) -> Float[Array, "dims"]:
    """Returns the same noise variance for every dimension: probabilistic PCA."""
    return jnp.broadcast_to(jnp.mean(residual), residual.shape)


@highest_precision
def factor_posterior(model: FactorModel, x: Float[Array, "dims"]) -> FactorPosterior:
    """Returns p(z | x) of one datapoint, exactly.

    Raises:
      ValueError: x has not the shape of the mean.
    Example:
      >>> code = factor_posterior(model, x).mean
    Source: Bishop (2006), equations 12.66 to 12.68.
    """
    of_shape("x", x, model.mean.shape)
    scaled = model.loadings / model.noise_variance[:, None]
    precision = jnp.eye(model.loadings.shape[1], dtype=x.dtype) + model.loadings.T @ scaled
    covariance = jnp.linalg.inv(precision)
    return FactorPosterior(covariance @ (scaled.T @ (x - model.mean)), covariance)


@highest_precision
def factor_elbo(model: FactorModel, q: FactorPosterior, x: Float[Array, "dims"]) -> Scalar:
    """Returns E_q[log p(x|z)] - KL(q || p(z)) of one datapoint, in nats, in closed form.

    Raises:
      ValueError: x has not the shape of the mean.
    Example:
      >>> log_px = factor_elbo(model, factor_posterior(model, x), x)  # tight at the posterior
    """
    of_shape("x", x, model.mean.shape)
    residual = x - model.mean - model.loadings @ q.mean
    spread = jnp.sum((model.loadings @ q.covariance) * model.loadings, axis=1)
    log_scale = jnp.log(2 * jnp.pi * model.noise_variance)
    reconstruction = -0.5 * jnp.sum(log_scale + (residual**2 + spread) / model.noise_variance)
    log_det = jnp.linalg.slogdet(q.covariance)[1]
    kl = 0.5 * (jnp.trace(q.covariance) + q.mean @ q.mean - len(q.mean) - log_det)
    return reconstruction - kl


def factor_steps(
    xs: Float[Array, "datapoints dims"],
    noise: NoiseModel = independent,
    *,
    min_variance: float = 0.0,
) -> EMSteps:
    """Returns exact EM for factor analysis, or probabilistic PCA with `noise=isotropic`.

    Loadings, mean and noise are maximized jointly in each M-step. A dimension that the factors
    explain wholly (a pixel that is always black) has noise variance zero and a likelihood without
    bound: `min_variance` is the least it may be, and with it the M-step is the constrained maximum.

    Args:
      xs: the data, one datapoint per row.
      noise: `independent` or `isotropic`, or a function of the same form.
      min_variance: in the square of the data's unit.
    Raises:
      ValueError: there are no datapoints; min_variance is negative.
    Example:
      >>> result = em(factor_steps(xs, isotropic), FactorModel(loadings, mean, jnp.ones(dims)), 200)
    Source: Rubin & Thayer (1982); Tipping & Bishop (1999), appendix B; Bishop (2006), section 12.2.
    """
    if not xs.size:
        raise ValueError(f"xs: got shape {xs.shape}, expected at least one datapoint, one per row")
    not_negative("min_variance", min_variance)
    each = FactorPosterior(mean=0, covariance=None)  # type: ignore[arg-type]  # the mapped axes

    def e_step(model: FactorModel) -> FactorPosterior:
        return jax.vmap(partial(factor_posterior, model), out_axes=each)(xs)

    @highest_precision
    def m_step(q: FactorPosterior) -> FactorModel:
        # x regressed on (z, 1): the mean is one more column of the loadings.
        factors = q.mean.shape[1]
        codes = jnp.concatenate([q.mean, jnp.ones((len(xs), 1), xs.dtype)], axis=1)
        second = codes.T @ codes
        second = second.at[:factors, :factors].add(len(xs) * q.covariance)
        coefficients = jnp.linalg.solve(second, codes.T @ xs).T
        loadings, mean = coefficients[:, :-1], coefficients[:, -1]
        residual = jnp.mean((xs - codes @ coefficients.T) ** 2, axis=0)
        residual += jnp.sum((loadings @ q.covariance) * loadings, axis=1)
        return FactorModel(loadings, mean, jnp.maximum(noise(residual), min_variance))

    def elbo(model: FactorModel, q: FactorPosterior) -> Array:
        return jnp.mean(jax.vmap(partial(factor_elbo, model), (each, 0))(q, xs))

    return EMSteps(e_step, m_step, elbo)

"""Factor analysis and probabilistic PCA: z ~ N(0, I), x | z ~ N(W z + mean, diag(noise))."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.array_checks import of_shape
from jaxgen.numerics import highest_precision
from jaxgen.types import Scalar


class FactorModel(NamedTuple):
    """The parameters.

    Attributes:
      loadings: W.
      mean: of x.
      noise_variance: of each dimension of x given z; all alike in probabilistic PCA.
    Example:
      >>> model = FactorModel(jnp.ones((2, 1)), jnp.zeros(2), jnp.ones(2))
      >>> model.loadings @ model.loadings.T + jnp.diag(model.noise_variance)  # of x, the covariance
      Array([[2., 1.],
             [1., 2.]], dtype=float32)
    """

    loadings: Float[Array, "dims factors"]
    mean: Float[Array, "dims"]
    noise_variance: Float[Array, "dims"]


class FactorPosterior(NamedTuple):
    """q(z) = N(mean, covariance), of one datapoint.

    The exact covariance is every datapoint's, unless of each something else was observed.

    Example:
      >>> q = FactorPosterior(mean=jnp.zeros(2), covariance=jnp.eye(2))
    """

    mean: Float[Array, "*datapoints factors"]
    covariance: Float[Array, "*datapoints factors factors"]


@highest_precision
def factor_posterior(
    model: FactorModel,
    x: Float[Array, "..."],
    *,
    observed: ArrayLike | None = None,
) -> FactorPosterior:
    """Returns p(z | x) of one datapoint, exactly; p(z | what was observed of it), if not all was.

    Args:
      model: of the data.
      x: one datapoint, [dims]; what stands where it was not observed has no effect, be it NaN.
      observed: which of the dimensions were, [dims]; by default all.
    Raises:
      ValueError: x or observed has not the shape of the mean.
    Example:
      >>> model = FactorModel(jnp.ones((2, 1)), jnp.zeros(2), jnp.ones(2))  # x_i = z + noise
      >>> print(factor_posterior(model, jnp.array([3.0, 6.0])).mean)  # (3 + 6) / (1 + 2)
      [3.]
    Source: Bishop (2006), equations 12.66 to 12.68.
    """
    centered, seen = _centered(model, x, observed)
    scaled = jnp.where(seen[:, None], model.loadings / model.noise_variance[:, None], 0.0)
    precision = jnp.eye(model.loadings.shape[1], dtype=scaled.dtype) + model.loadings.T @ scaled
    covariance = jnp.linalg.inv(precision)
    return FactorPosterior(covariance @ (scaled.T @ centered), covariance)


@highest_precision
def factor_elbo(
    model: FactorModel,
    q: FactorPosterior,
    x: Float[Array, "..."],
    *,
    observed: ArrayLike | None = None,
) -> Scalar:
    """Returns E_q[log p(x|z)] - KL(q || p(z)) of one datapoint, in nats, in closed form.

    At the posterior it is log p(x) itself, or that of what was observed of x.

    Args:
      model: of the data.
      q: of z.
      x: as of `factor_posterior`.
      observed: likewise.
    Raises:
      ValueError: x or observed has not the shape of the mean.
    Example:
      >>> model = FactorModel(jnp.ones((2, 1)), jnp.zeros(2), jnp.ones(2))
      >>> x = jnp.array([0.0, jnp.nan])
      >>> seen = jnp.array([True, False])
      >>> q = factor_posterior(model, x, observed=seen)
      >>> print(factor_elbo(model, q, x, observed=seen))  # log N(0; 0, 2)
      -1.2655
    """
    centered, seen = _centered(model, x, observed)
    residual = centered - jnp.where(seen, model.loadings @ q.mean, 0.0)
    spread = jnp.sum((model.loadings @ q.covariance) * model.loadings, axis=1)
    log_scale = jnp.log(2 * jnp.pi * model.noise_variance)
    of_each = log_scale + (residual**2 + spread) / model.noise_variance
    reconstruction = -0.5 * jnp.sum(jnp.where(seen, of_each, 0.0))
    log_det = jnp.linalg.slogdet(q.covariance)[1]
    kl = 0.5 * (jnp.trace(q.covariance) + q.mean @ q.mean - len(q.mean) - log_det)
    return reconstruction - kl


def _centered(model: FactorModel, x: Array, observed: ArrayLike | None) -> tuple[Array, Array]:
    """Returns x less the mean, zero where it was not observed, and where it was."""
    of_shape("x", x, model.mean.shape)
    seen = jnp.ones(model.mean.shape, bool) if observed is None else jnp.asarray(observed)
    of_shape("observed", seen, model.mean.shape)
    return jnp.where(seen, jnp.where(seen, x, 0.0) - model.mean, 0.0), seen

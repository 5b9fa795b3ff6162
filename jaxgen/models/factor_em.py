"""EM for factor analysis and probabilistic PCA, of all numbers or of those that were observed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.array_checks import of_shape
from jaxgen.checks import not_negative
from jaxgen.inference import EMSteps
from jaxgen.models.factor_analysis import (
    FactorModel,
    FactorPosterior,
    factor_elbo,
    factor_posterior,
)
from jaxgen.numerics import highest_precision
from jaxgen.types import Scalar

NoiseModel: TypeAlias = Callable[[Float[Array, "dims"], Float[Array, "dims"]], Float[Array, "dims"]]
"""Each dimension's mean squared residual, and the number of values that it is a mean of, to the
noise variance of greatest likelihood."""


def independent(residual: Float[Array, "dims"], counts: Float[Array, "dims"]) -> Array:
    """Returns one noise variance per dimension: factor analysis.

    Example:
      >>> print(independent(jnp.array([1.0, 4.0]), jnp.array([10.0, 5.0])))
      [1. 4.]
    """
    return residual


def isotropic(residual: Float[Array, "dims"], counts: Float[Array, "dims"]) -> Array:
    """Returns the same noise variance for every dimension: probabilistic PCA.

    Example:
      >>> print(isotropic(jnp.array([1.0, 4.0]), jnp.array([10.0, 5.0])))  # (10 + 20) / 15
      [2. 2.]
    """
    mean = jnp.sum(counts * residual) / jnp.sum(counts)
    return jnp.broadcast_to(mean, residual.shape)


def factor_steps(
    xs: Float[Array, "..."],
    noise: NoiseModel = independent,
    *,
    min_variance: float = 0.0,
    observed: ArrayLike | None = None,
) -> EMSteps:
    """Returns exact EM for factor analysis, or probabilistic PCA with `noise=isotropic`.

    Loadings, mean and noise are maximized jointly in each M-step. A dimension that the factors
    explain wholly (a pixel that is always black) has noise variance zero and a likelihood without
    bound: `min_variance` is the least it may be, and with it the M-step is the constrained maximum.

    Args:
      xs: the data, one datapoint per row.
      noise: `independent` or `isotropic`, or a function of the same form.
      min_variance: in the square of the data's unit.
      observed: which numbers of the data were, [datapoints, dims]; the likelihood is theirs, and
        what stands at the others has no effect, be it NaN. By default all.
    Raises:
      ValueError: xs is no matrix, or has no datapoints; observed has another shape, or nothing of
        some dimension was observed; min_variance is negative.
    Example:
      >>> xs = jax.random.normal(jax.random.key(0), (50, 3))
      >>> start = FactorModel(jnp.eye(3)[:, :1], jnp.zeros(3), jnp.ones(3))
      >>> pca = em(factor_steps(xs, isotropic), start, 10).params
      >>> steps = factor_steps(xs, observed=xs > -1)  # of data with gaps
    Source: Rubin & Thayer (1982); Tipping & Bishop (1999), appendix B; Bishop (2006), section 12.2.
    """
    if xs.ndim != 2 or not xs.size:
        raise ValueError(f"xs: got shape {xs.shape}, expected at least one datapoint, one per row")
    not_negative("min_variance", min_variance)
    if observed is not None:
        return _with_gaps(xs, noise, min_variance, _seen_somewhere(observed, xs.shape))
    each = FactorPosterior(mean=0, covariance=None)  # type: ignore[arg-type]  # the mapped axes
    counts = jnp.full(xs.shape[1], float(len(xs)), xs.dtype)

    def e_step(model: FactorModel) -> FactorPosterior:
        return jax.vmap(partial(factor_posterior, model), out_axes=each)(xs)

    @highest_precision
    def m_step(q: FactorPosterior) -> FactorModel:
        # x regressed on (z, 1): the mean is one more column of the loadings.
        factors = q.mean.shape[1]
        codes = _with_one(q.mean)
        second = codes.T @ codes
        second = second.at[:factors, :factors].add(len(xs) * q.covariance)
        coefficients = jnp.linalg.solve(second, codes.T @ xs).T
        loadings, mean = coefficients[:, :-1], coefficients[:, -1]
        residual = jnp.mean((xs - codes @ coefficients.T) ** 2, axis=0)
        residual += jnp.sum((loadings @ q.covariance) * loadings, axis=1)
        return FactorModel(loadings, mean, jnp.maximum(noise(residual, counts), min_variance))

    def elbo(model: FactorModel, q: FactorPosterior) -> Array:
        return jnp.mean(jax.vmap(partial(factor_elbo, model), (each, 0))(q, xs))

    return EMSteps(e_step, m_step, elbo)


def _with_gaps(xs: Array, noise: NoiseModel, min_variance: float, seen: Array) -> EMSteps:
    """Returns EM where each datapoint has a posterior covariance of its own: of what was seen."""
    xs = jnp.where(seen, xs, 0.0)
    weights = seen.astype(xs.dtype)
    counts = jnp.sum(weights, axis=0)

    def e_step(model: FactorModel) -> FactorPosterior:
        return jax.vmap(lambda x, seen: factor_posterior(model, x, observed=seen))(xs, seen)

    @highest_precision
    def m_step(q: FactorPosterior) -> FactorModel:
        codes = _with_one(q.mean)
        # Of (z, 1): its second moments under each datapoint's q.
        second = codes[:, :, None] * codes[:, None] + jnp.pad(
            q.covariance, ((0, 0), (0, 1), (0, 1))
        )
        of_dims = jnp.einsum("nd,njk->djk", weights, second)
        cross = jnp.einsum("nd,nj->dj", xs, codes)
        coefficients = jnp.linalg.solve(of_dims, cross[..., None])[..., 0]
        loadings, mean = coefficients[:, :-1], coefficients[:, -1]
        squares = weights * (xs - codes @ coefficients.T) ** 2
        squares += weights * jnp.einsum("dj,njk,dk->nd", loadings, q.covariance, loadings)
        residual = jnp.sum(squares, axis=0) / counts
        return FactorModel(loadings, mean, jnp.maximum(noise(residual, counts), min_variance))

    def elbo(model: FactorModel, q: FactorPosterior) -> Array:
        def one(q: FactorPosterior, x: Array, seen: Array) -> Scalar:
            return factor_elbo(model, q, x, observed=seen)

        return jnp.mean(jax.vmap(one)(q, xs, seen))

    return EMSteps(e_step, m_step, elbo)


def _with_one(codes: Float[Array, "n factors"]) -> Float[Array, "n more"]:
    return jnp.concatenate([codes, jnp.ones((len(codes), 1), codes.dtype)], axis=1)


def _seen_somewhere(observed: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Returns it, checked; traced, it is trusted to have something of each dimension."""
    of_shape("observed", observed, shape)
    if (
        not isinstance(observed, Tracer)
        and (never := np.flatnonzero(~np.any(observed, axis=0))).size
    ):
        raise ValueError(f"observed: got nothing of dimension {never[0]}, expected some of each")
    return jnp.asarray(observed)

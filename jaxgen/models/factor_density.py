"""Factor analysis as a density: fitted by EM, or climbed by its gradient as any other."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.distributions import FunctionDistribution
from jaxgen.models.density import Density
from jaxgen.models.factor_analysis import FactorModel, factor_elbo, factor_posterior
from jaxgen.numerics import highest_precision
from jaxgen.types import Key, Scalar


def factor_density(size: int, num_factors: int) -> Density:
    """Returns p(x) = N(mean, W W' + diag(noise)) over one vector, in any context.

    Its params are a `FactorModel`, those that `em(factor_steps(xs), ...)` finds; of probabilistic
    PCA too. They start at loadings drawn from N(0, 1/num_factors), mean 0 and noise 1. No matrix is
    larger than [num_factors, num_factors].

    Args:
      size: length of x.
      num_factors: length of z.
    Raises:
      ValueError: a count is below one.
    Example:
      >>> density = factor_density(size=3, num_factors=1)
      >>> params = density.init(jax.random.key(0), ())  # or those of `em(factor_steps(xs), ...)`
      >>> log_px = density.distribution(params, ()).log_prob(jnp.zeros((5, 3)))  # nats, of each
    Source: Bishop (2006), section 12.2.4.
    """
    size, num_factors = at_least("size", size, 1), at_least("num_factors", num_factors, 1)

    def init(key: Key, context: Any) -> FactorModel:
        loadings = jax.random.normal(key, (size, num_factors)) / jnp.sqrt(float(num_factors))
        return FactorModel(loadings, jnp.zeros(size), jnp.ones(size))

    @highest_precision
    def sample(key: Key, model: FactorModel) -> Array:
        key_z, key_noise = jax.random.split(key)
        z = jax.random.normal(key_z, (num_factors,), model.mean.dtype)
        noise = jax.random.normal(key_noise, (size,), model.mean.dtype)
        return model.mean + model.loadings @ z + jnp.sqrt(model.noise_variance) * noise

    def log_prob(model: FactorModel, x: Array) -> Scalar:
        return factor_elbo(model, factor_posterior(model, x), x)  # exact at the posterior

    def distribution(params: FactorModel, context: Any) -> FunctionDistribution:
        return FunctionDistribution(params, (size,), sample, log_prob)

    return Density(init, distribution)

"""State-space models: a latent that moves, seen in noise."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.array_checks import of_shape
from jaxgen.checks import at_least
from jaxgen.distributions import Independent, diagonal_normal
from jaxgen.models.sequential import SequentialModel
from jaxgen.numerics import highest_precision
from jaxgen.types import Key, Params


class GaussianState(NamedTuple):
    """The prior of the next latent: N(mean, diag(scale)²)."""

    mean: Float[Array, "latent"]
    scale: Float[Array, "latent"]


def _gaussian_prior(params: Params, state: GaussianState) -> Independent:
    return diagonal_normal(state.mean, scale=state.scale)


@highest_precision
def _product(state: GaussianState, factor: Params, features: Array) -> Independent:
    """The prior times a Gaussian factor whose mean is affine in `features`, normalized."""
    mean = factor["weights"] @ features + factor["bias"]
    precision, prior_precision = jnp.exp(factor["log_precision"]), state.scale**-2
    total = precision + prior_precision
    mean = (prior_precision * state.mean + precision * mean) / total
    return diagonal_normal(mean, scale=total**-0.5)


def _init_factor(latent_size: int, num_features: int) -> Params:
    # A broad factor: the proposal begins near the prior.
    return {
        "weights": jnp.zeros((latent_size, num_features)),
        "bias": jnp.zeros(latent_size),
        "log_precision": jnp.full(latent_size, -2.0, float),
    }


def linear_gaussian(latent_size: int, x_size: int) -> SequentialModel:
    """Returns z_t = A z_{t-1} + N(0, diag(Q)), x_t = C z_t + N(0, diag(R)).

    Its likelihood is known exactly, by the Kalman filter. The proposal is the prior of the step
    times a Gaussian factor with a mean affine in x_t, exact where C^T R^-1 C is diagonal.

    Params: `transition` A, `emission` C, `transition_log_scale` and `emission_log_scale` (half the
    logs of Q and R), `initial_mean` and `initial_log_scale` of z_1, and the `proposal`'s own.

    Raises:
      ValueError: a size is below one.
    Example:
      >>> model = linear_gaussian(latent_size=2, x_size=3)
      >>> params = model.init(jax.random.key(0)) | {"transition": 0.9 * jnp.eye(2)}
      >>> xs, zs = sample_sequence(jax.random.key(1), model, params, time=5)
      >>> xs.shape, zs.shape
      ((5, 3), (5, 2))
    Source: Roweis & Ghahramani (1999).
    """
    latent_size = at_least("latent_size", latent_size, 1)
    x_size = at_least("x_size", x_size, 1)

    def init(key: Key) -> Params:
        emission = jax.random.normal(key, (x_size, latent_size)) / jnp.sqrt(float(latent_size))
        return {
            "initial_mean": jnp.zeros(latent_size),
            "initial_log_scale": jnp.zeros(latent_size),
            "transition": 0.5 * jnp.eye(latent_size),
            "transition_log_scale": jnp.zeros(latent_size),
            "emission": emission,
            "emission_log_scale": jnp.zeros(x_size),
            "proposal": _init_factor(latent_size, x_size),
        }

    def start(params: Params) -> GaussianState:
        return GaussianState(params["initial_mean"], jnp.exp(params["initial_log_scale"]))

    def encode(params: Params, state: GaussianState, x: Array) -> Independent:
        of_shape("x", x, (x_size,))
        return _product(state, params["proposal"], x)

    @highest_precision
    def decode(params: Params, state: GaussianState, z: Array) -> Independent:
        of_shape("z", z, (latent_size,))
        return diagonal_normal(params["emission"] @ z, params["emission_log_scale"])

    @highest_precision
    def update(params: Params, state: GaussianState, z: Array, x: Array) -> GaussianState:
        scale = jnp.exp(params["transition_log_scale"])
        return GaussianState(params["transition"] @ z, scale)

    return SequentialModel(init, start, _gaussian_prior, encode, decode, update)


def stochastic_volatility(size: int) -> SequentialModel:
    """Returns z_t = mu + phi (z_{t-1} - mu) + sigma N(0, 1), x_t = exp(z_t / 2) N(0, 1).

    All elementwise. z is the log variance of the returns x, stationary from the first step on. The
    proposal is the prior of the step times a Gaussian factor with a mean affine in log(x_t²).

    Params: `mean` mu, `raw_persistence` (its tanh is phi), `log_scale` (log sigma), and the
    `proposal`'s own.

    Args:
      size: number of series.
    Raises:
      ValueError: size is below one.
    Example:
      >>> model = stochastic_volatility(1)
      >>> persistence = {"raw_persistence": jnp.arctanh(jnp.array([0.95]))}
      >>> params = model.init(jax.random.key(0)) | persistence
      >>> returns, log_variances = sample_sequence(jax.random.key(1), model, params, time=5)
    Source: Kim et al. (1998), equation 1; proposal: Naesseth et al. (2018), section 5.
    """
    size = at_least("size", size, 1)

    def init(key: Key) -> Params:
        return {
            "mean": jnp.zeros(size),
            "raw_persistence": jnp.full(size, math.atanh(0.5), float),
            "log_scale": jnp.full(size, math.log(0.5), float),
            "proposal": _init_factor(size, size),
        }

    def start(params: Params) -> GaussianState:
        stationary = jnp.exp(params["log_scale"]) * jnp.cosh(params["raw_persistence"])
        return GaussianState(params["mean"], stationary)  # sigma / sqrt(1 - tanh²)

    def encode(params: Params, state: GaussianState, x: Array) -> Independent:
        of_shape("x", x, (size,))
        # A return of exactly zero says no more than a very small one.
        return _product(state, params["proposal"], jnp.log(x**2 + 1e-6))

    def decode(params: Params, state: GaussianState, z: Array) -> Independent:
        of_shape("z", z, (size,))
        return diagonal_normal(jnp.zeros(size), z / 2)

    def update(params: Params, state: GaussianState, z: Array, x: Array) -> GaussianState:
        mean, persistence = params["mean"], jnp.tanh(params["raw_persistence"])
        return GaussianState(mean + persistence * (z - mean), jnp.exp(params["log_scale"]))

    return SequentialModel(init, start, _gaussian_prior, encode, decode, update)

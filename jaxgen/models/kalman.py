"""The Kalman filter: the exact likelihood and latents of a linear-Gaussian sequence."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgen.checks import at_least, of_shape
from jaxgen.distributions import FunctionDistribution
from jaxgen.models.density import Density
from jaxgen.models.sequential import sample_sequence
from jaxgen.models.state_space import linear_gaussian
from jaxgen.numerics import highest_precision
from jaxgen.types import Key, Params, Scalar


class KalmanResult(NamedTuple):
    """What a sequence says exactly.

    Attributes:
      log_likelihood: log p(x_1, ..., x_T), in nats.
      log_increments: its terms log p(x_t | x_1, ..., x_{t-1}), in nats; zero where masked.
      means: of p(z_t | x_1, ..., x_t).
      covs: of the same; where masked, those of the step before.
    """

    log_likelihood: Scalar
    log_increments: Float[Array, "time"]
    means: Float[Array, "time latent"]
    covs: Float[Array, "time latent latent"]


@highest_precision
def kalman_filter(
    params: Params, xs: Float[Array, "..."], *, mask: Bool[Array, "..."] | None = None
) -> KalmanResult:
    """Returns the likelihood and the filtered latents of one sequence under `linear_gaussian`.

    Computed at the highest precision of products that the device has.

    Args:
      params: those of `linear_gaussian`; a proposal among them has no part in this.
      xs: the sequence, [time, x_size].
      mask: which steps exist, [time]; time stands still at the others.
    Raises:
      ValueError: xs or mask has another shape.
    Example:
      >>> params = linear_gaussian(latent_size=2, x_size=3).init(jax.random.key(0))
      >>> log_px = kalman_filter(params, xs).log_likelihood
    Source: Kalman (1960); covariances in Joseph's form, which stays positive definite.
    """
    x_size, latent_size = params["emission"].shape
    if xs.ndim != 2 or xs.shape[1] != x_size:
        raise ValueError(f"xs: got shape {xs.shape}, expected (time, {x_size})")
    mask = jnp.ones(len(xs), bool) if mask is None else mask
    of_shape("mask", mask, (len(xs),))
    mean, transition, emission = (params[k] for k in ("initial_mean", "transition", "emission"))
    cov, transition_cov, emission_cov = (
        jnp.diag(jnp.exp(2 * params[f"{name}_log_scale"]))
        for name in ("initial", "transition", "emission")
    )
    identity = jnp.eye(latent_size, dtype=mean.dtype)

    def step(carry: tuple[Array, ...], inputs: tuple[Array, Array]) -> tuple[tuple, tuple]:
        (mean, cov), (x, exists) = carry[:2], inputs
        x = jnp.where(exists, x, 0.0)  # padding may be NaN
        innovation = x - emission @ mean
        factor = jnp.linalg.cholesky(emission @ cov @ emission.T + emission_cov)
        whitened = jax.scipy.linalg.solve_triangular(factor, innovation, lower=True)
        log_det = 2 * jnp.sum(jnp.log(jnp.diag(factor))) + len(x) * jnp.log(2 * jnp.pi)
        log_increment = -0.5 * (whitened @ whitened + log_det)
        gain = jax.scipy.linalg.cho_solve((factor, True), emission @ cov).T
        rest = identity - gain @ emission
        filtered = mean + gain @ innovation, rest @ cov @ rest.T + gain @ emission_cov @ gain.T
        predicted = (
            transition @ filtered[0],
            transition @ filtered[1] @ transition.T + transition_cov,
        )
        new = (*predicted, *filtered)
        new = jax.tree.map(lambda a, b: jnp.where(exists, a, b), new, carry)
        return new, (jnp.where(exists, log_increment, 0.0), *new[2:])

    _, (terms, means, covs) = jax.lax.scan(step, (mean, cov, mean, cov), (xs, mask))
    return KalmanResult(jnp.sum(terms), terms, means, covs)


def linear_gaussian_sequence(latent_size: int, x_size: int, time: int) -> Density:
    """Returns p(x_1..T) of `linear_gaussian`, its latents integrated out by the Kalman filter.

    A density over one array [time, x_size], in any context, with the params of `linear_gaussian`
    but for the proposal, which it does not need.

    Raises:
      ValueError: a size or time is below one.
    Example:
      >>> p = linear_gaussian_sequence(2, 3, time=50)
      >>> log_px = p.distribution(p.init(key, ()), ()).log_prob(xs)
    """
    time = at_least("time", time, 1)
    model = linear_gaussian(latent_size, x_size)

    def init(key: Key, context: Any) -> Params:
        return {name: value for name, value in model.init(key).items() if name != "proposal"}

    def sample(key: Key, params: Params) -> Array:
        return sample_sequence(key, model, params, time)[0]

    def log_prob(params: Params, xs: Array) -> Scalar:
        return kalman_filter(params, xs).log_likelihood

    def distribution(params: Params, context: Any) -> FunctionDistribution:
        return FunctionDistribution(params, (time, x_size), sample, log_prob)

    return Density(init, distribution)

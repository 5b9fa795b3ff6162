"""The Kalman filter: the exact likelihood and latents of a linear-Gaussian sequence."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgen.types import Scalar


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


def kalman_filter(
    xs: Float[Array, "time x"],
    *,
    mean: Float[Array, "latent"],
    cov: Float[Array, "latent latent"],
    transition: Float[Array, "latent latent"],
    transition_cov: Float[Array, "latent latent"],
    emission: Float[Array, "x latent"],
    emission_cov: Float[Array, "x x"],
    mask: Bool[Array, "time"] | None = None,
) -> KalmanResult:
    """Returns the likelihood and filtered latents of z_1 ~ N(mean, cov), z_t = A z_{t-1} + noise,
    x_t = C z_t + noise.

    Args:
      xs: the sequence.
      mean: of z_1, with its covariance `cov`.
      transition: A, with the covariance of its noise.
      emission: C, with the covariance of its noise.
      mask: which steps exist; time stands still at the others.
    Example:
      log_px = kalman_filter(xs, mean=jnp.zeros(1), cov=jnp.eye(1), ...).log_likelihood
    Source: Kalman (1960); covariances in Joseph's form, which stays positive definite.
    """
    mask = jnp.ones(len(xs), bool) if mask is None else mask
    identity = jnp.eye(len(mean))

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

"""The Kalman filter: the exact likelihood and latents of a linear-Gaussian sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.array_checks import of_shape
from jaxgen.checks import at_least
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
    Example:
      >>> result = KalmanResult(
      ...     jnp.zeros(()), jnp.zeros(5), jnp.zeros((5, 2)), jnp.zeros((5, 2, 2))
      ... )
      >>> nll, z_now = -result.log_likelihood, result.means[-1]
    """

    log_likelihood: Scalar
    log_increments: Float[Array, "time"]
    means: Float[Array, "time latent"]
    covs: Float[Array, "time latent latent"]


@highest_precision
def kalman_filter(
    params: Params,
    xs: ArrayLike | Sequence[Any],
    *,
    mask: ArrayLike | Sequence[Any] | None = None,
    observed: ArrayLike | Sequence[Any] | None = None,
) -> KalmanResult:
    """Returns the likelihood and the filtered latents of one sequence under `linear_gaussian`.

    Computed at the highest precision of products that the device has.

    Args:
      params: those of `linear_gaussian`; a proposal among them has no part in this.
      xs: the sequence, [time, x_size].
      mask: which steps exist, [time]; time stands still at the others, as it does beyond the end of
        a sequence that is shorter than its array. A step that was missed is none of these.
      observed: what was seen, [time], or each number, [time, x_size]. Time goes on at what was not,
        and the likelihood is that of what was. By default all.
    Raises:
      ValueError: xs, mask, observed or one of the params has another shape.
    Example:
      >>> params = linear_gaussian(latent_size=2, x_size=3).init(jax.random.key(0))
      >>> params["emission"] = jnp.zeros((3, 2))  # all that is seen is noise N(0, 1)
      >>> print(kalman_filter(params, jnp.zeros((5, 3))).log_likelihood)  # -15/2 log(2 pi)
      -13.784
    Source: Kalman (1960); covariances in Joseph's form, which stays positive definite.
    """
    params, xs = _of_one_type(params, xs)
    x_size, latent_size = params["emission"].shape
    if xs.ndim != 2 or xs.shape[1] != x_size:
        raise ValueError(f"xs: got shape {xs.shape}, expected (time, {x_size})")
    mask = jnp.ones(len(xs), bool) if mask is None else jnp.asarray(mask)
    of_shape("mask", mask, (len(xs),))
    seen = jnp.ones(xs.shape, bool) if observed is None else jnp.asarray(observed)
    if seen.shape not in ((len(xs),), xs.shape):
        raise ValueError(f"observed: got shape {seen.shape}, expected {(len(xs),)} or {xs.shape}")
    seen = jnp.broadcast_to(seen.reshape(len(xs), -1), xs.shape)
    mean, transition, emission = (params[k] for k in ("initial_mean", "transition", "emission"))
    variances = {name: jnp.exp(2 * params[f"{name}_log_scale"]) for name in _SCALES}
    cov, transition_cov = jnp.diag(variances["initial"]), jnp.diag(variances["transition"])
    identity = jnp.eye(latent_size, dtype=mean.dtype)

    def step(carry: tuple[Array, ...], inputs: tuple[Array, ...]) -> tuple[tuple, tuple]:
        (mean, cov), (x, exists, seen) = carry[:2], inputs
        # What was not seen: no part of z, noise of variance one, and zero as it was expected to be.
        innovation = jnp.where(exists & seen, x, 0.0)  # it may be NaN
        innovation -= jnp.where(seen, emission @ mean, 0.0)
        of_seen = jnp.where(seen[:, None], emission, 0.0)
        noise = jnp.diag(jnp.where(seen, variances["emission"], 1.0))
        factor = jnp.linalg.cholesky(of_seen @ cov @ of_seen.T + noise)
        whitened = jax.scipy.linalg.solve_triangular(factor, innovation, lower=True)
        log_det = 2 * jnp.sum(jnp.log(jnp.diag(factor))) + jnp.sum(seen) * jnp.log(2 * jnp.pi)
        log_increment = -0.5 * (whitened @ whitened + log_det)
        gain = jax.scipy.linalg.cho_solve((factor, True), of_seen @ cov).T
        rest = identity - gain @ of_seen
        filtered = mean + gain @ innovation, rest @ cov @ rest.T + gain @ noise @ gain.T
        predicted = (
            transition @ filtered[0],
            transition @ filtered[1] @ transition.T + transition_cov,
        )
        new = (*predicted, *filtered)
        new = jax.tree.map(lambda a, b: jnp.where(exists, a, b), new, carry)
        return new, (jnp.where(exists, log_increment, 0.0), *new[2:])

    _, (terms, means, covs) = jax.lax.scan(step, (mean, cov, mean, cov), (xs, mask, seen))
    return KalmanResult(jnp.sum(terms), terms, means, covs)


_SCALES = ("initial", "transition", "emission")


def _of_one_type(params: Params, xs: Any) -> tuple[Params, Array]:
    """Returns both in their common floating type, float32 at least; refuses params of no model."""
    names = ("initial_mean", "transition", "emission", *(f"{name}_log_scale" for name in _SCALES))
    if not isinstance(params, Mapping) or any(name not in params for name in names):
        found = sorted(params) if isinstance(params, Mapping) else type(params).__name__
        raise ValueError(f"params: got {found}, expected those of linear_gaussian, {list(names)}")
    arrays = {name: jnp.asarray(params[name]) for name in names} | {"xs": jnp.asarray(xs)}
    dtype = jnp.result_type(jnp.float32, *arrays.values())
    xs, params = arrays.pop("xs").astype(dtype), arrays
    if params["emission"].ndim != 2:
        raise ValueError(
            f"params: got an emission of shape {params['emission'].shape}, expected (x, latent)"
        )
    x_size, latent_size = params["emission"].shape
    for name, value in params.items():
        size = x_size if name.startswith("emission") else latent_size
        of_shape(f"params[{name!r}]", value, (size, latent_size) if name in _MATRICES else (size,))
    return {name: value.astype(dtype) for name, value in params.items()}, xs


_MATRICES = ("transition", "emission")


def linear_gaussian_sequence(latent_size: int, x_size: int, time: int) -> Density:
    """Returns p(x_1..T) of `linear_gaussian`, its latents integrated out by the Kalman filter.

    A density over one array [time, x_size], in any context, with the params of `linear_gaussian`
    but for the proposal, which it does not need.

    Raises:
      ValueError: a size or time is below one.
    Example:
      >>> density = linear_gaussian_sequence(latent_size=2, x_size=3, time=5)
      >>> params = density.init(jax.random.key(0), ())
      >>> log_px = density.distribution(params, ()).log_prob(jnp.zeros((5, 3)))  # of one sequence
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

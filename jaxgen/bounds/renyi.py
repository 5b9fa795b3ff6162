"""The Rényi family of bounds: ELBO, IWAE, Rényi, chi, VR-max."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.array_checks import axis_of_samples
from jaxgen.bounds.base import Bound
from jaxgen.numerics import log_mean_exp, normalized
from jaxgen.types import Scalar
from jaxgen.values import known_by_call, known_by_name

ELBO = known_by_name(
    "ELBO",
    Bound("elbo", jnp.mean, lambda logs: jnp.ones_like(logs) / len(logs), linear=True),
)
"""The mean of the log weights; of any other f than a log weight, plainly the mean of f."""

IWAE = known_by_name(
    "IWAE",
    Bound(
        "iwae",
        lambda log_weights: log_mean_exp(log_weights, axis=0),
        lambda log_weights: normalized(log_weights) ** 2,
    ),
)
"""The log of the mean weight. Source: Burda et al. (2016), equation 8."""


@known_by_call
def renyi(alpha: float) -> Bound:
    """Returns the bound 1/(1 - alpha) log 1/K sum_k w_k^(1 - alpha), in nats.

    alpha = 1 is the limit, the ELBO; alpha = 0 is IWAE. Its limit for many samples falls with
    alpha: below log p(x) for alpha > 0, log p(x) itself at 0, above for alpha < 0. For finitely
    many, the mean is below that limit for alpha < 1: with alpha in [0, 1) it stays a lower bound,
    with alpha < 0 it bounds log p(x) on neither side. For alpha > 1 a single weight of zero makes
    it -inf.

    Args:
      alpha: the order of the Rényi divergence, any finite number.
    Raises:
      ValueError: alpha is not finite.
    Example:
      >>> log_weights = jnp.log(jnp.array([1.0, 4.0]))  # of one datapoint
      >>> float(renyi(0.5)(log_weights))  # log of ((1 + 2) / 2)²
      0.8109
    Source: Li & Turner (2016), equations 3 and 6. Path weights: the derivation of Tucker et al.
      (2019), section 4, with the slopes v_k of this bound: alpha v_k + (1 - alpha) v_k².
    """
    if not math.isfinite(alpha):
        raise ValueError(
            f"alpha: got {alpha}, expected a finite number (for alpha -> -inf: VR_MAX)"
        )
    if alpha == 1:
        return ELBO
    if alpha == 0:
        return IWAE

    def path_weights(log_weights: Float[jax.Array, "samples"]) -> Float[jax.Array, "samples"]:
        slopes = normalized((1 - alpha) * log_weights)
        return alpha * slopes + (1 - alpha) * slopes**2

    return Bound(f"renyi({alpha:g})", lambda logs: log_power_mean(logs, 1 - alpha), path_weights)


@known_by_call
def chi_upper_bound(order: float = 2.0) -> Bound:
    """Returns the chi upper bound (CUBO), 1/n log E_q[w^n] >= log p(x) for n >= 1, in nats.

    It is Rényi's at alpha = 1 - n. From K samples the estimate lies below the bound on average, the
    further the heavier the weights' tail, and may fall below log p(x): see `pareto_k` before
    trusting it.

    Args:
      order: n; 2 is the chi-square divergence's.
    Raises:
      ValueError: order is below one or infinite.
    Example:
      >>> log_weights = jnp.log(jnp.array([1.0, 7.0]))
      >>> float(chi_upper_bound()(log_weights))  # log of sqrt((1 + 49) / 2)
      1.6094
    Source: Dieng et al. (2017), equation 4.
    """
    if not 1 <= order < math.inf:
        raise ValueError(f"order: got {order}, expected a finite number >= 1")
    return renyi(1 - order)


VR_MAX = known_by_name("VR_MAX", Bound("vr-max", jnp.max, None))
"""The largest log weight, Rényi's limit for alpha -> -inf. Source: Li & Turner (2016), section
4.2. Not twice differentiable, so `doubly_reparameterized` refuses it."""

BOUNDS: dict[str, Bound] = {
    "elbo": ELBO,
    "iwae": IWAE,
    "renyi": renyi(0.5),
    "chi": chi_upper_bound(),
    "vr-max": VR_MAX,
}
"""By name, at the usual orders; `renyi` and `chi_upper_bound` make the others."""


def log_power_mean(log_weights: Float[jax.Array, "..."], power: float) -> Scalar:
    """Returns 1/power log 1/K sum_k w_k^power, in nats, for a power other than zero.

    Args:
      log_weights: [samples], of one datapoint.
    Raises:
      ValueError: log_weights has not one axis, or no entry.
    Example:
      >>> float(log_power_mean(jnp.log(jnp.array([1.0, 4.0])), 0.5))  # log of ((1 + 2) / 2)²
      0.8109
    """
    axis_of_samples("log_weights", log_weights)
    powers = power * log_weights
    if abs(power) >= 0.01:
        return log_mean_exp(powers, axis=0) / power
    # The mean of the powers is so near one that its rounding, divided by `power`, would show.
    largest = jax.lax.stop_gradient(jnp.max(powers))
    extreme = jnp.isinf(largest)  # as in log_mean_exp: no slope
    excesses = jnp.where(extreme, 0.0, powers) - jnp.where(extreme, 0.0, largest)
    return (jnp.log1p(jnp.mean(jnp.expm1(excesses))) + largest) / power

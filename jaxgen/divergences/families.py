"""The two families of f-divergences with a parameter: alpha divergences, Jensen-Shannons."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax.nn import softplus
from jax.scipy.special import xlogy
from jaxtyping import Array, Float

from jaxgen.divergences.f_divergence import FDivergence, assemble
from jaxgen.numerics import expm1
from jaxgen.values import known_by_call


@known_by_call
def alpha_divergence(alpha: float) -> FDivergence:
    """Returns the divergence of f(u) = (u^a - 1 - a (u - 1)) / (a (a - 1)), of f''(1) = 1.

    a = 2 is half of Pearson's chi², a = -1 half of Neyman's, a = 1/2 twice the squared Hellinger
    distance; exchanging p and q exchanges a and 1 - a.

    Raises:
      ValueError: alpha is 0 or 1 (the limits, `reverse_kl` and `kl`) or not finite.
    Example:
      >>> p, q = jnp.array([0.5, 0.5]), jnp.array([0.8, 0.2])
      >>> float(discrete_divergence(p, q, alpha_divergence(2.0)))  # half of Pearson's chi²
      0.28125
    Source: Nowozin et al. (2016), "f-GAN", table 4; Amari (1985), "Differential-Geometrical Methods
      in Statistics".
    """
    a = float(alpha)
    if not math.isfinite(a) or a in (0.0, 1.0):
        raise ValueError(
            f"alpha: got {alpha}, expected a finite number other than 0 and 1, whose divergences "
            "are reverse_kl and kl"
        )
    power = a / (a - 1)

    def conjugate(t: Float[Array, "..."]) -> Float[Array, "..."]:
        empty = 1 + (a - 1) * t <= 0  # u = 0 is the best there; for a < 1 only at the domain's end
        value = expm1(power * jnp.log1p((a - 1) * jnp.where(empty, 0.0, t))) / a
        return jnp.where(empty, math.inf if 0 < a < 1 else -1 / a, value)

    below = a < 1
    upper = 1 / (1 - a) if below else math.inf
    return assemble(
        f"alpha {a:g}",
        f=lambda u: (u**a - 1 - a * (u - 1)) / (a * (a - 1)),
        f_prime=lambda u: (u ** (a - 1) - 1) / (a - 1),
        conjugate=conjugate,
        domain=(-math.inf, upper),
        activation=(lambda v: upper - softplus(-v)) if below else (lambda v: v),
        activated_conjugate=(lambda v: expm1(power * (math.log(1 - a) + _log_softplus(-v))) / a)
        if below
        else None,
        canonical=lambda v: expm1((a - 1) * v) / (a - 1),
        canonical_conjugate=lambda v: expm1(a * v) / a,
        curvature=1.0,
    )


@known_by_call
def weighted_jensen_shannon(weight: float) -> FDivergence:
    """Returns w KL(p || m) + (1 - w) KL(q || m) with m = w p + (1 - w) q, in nats.

    With a weight of 1/2 this is the JSD with its factors of one half, at most log 2; what the table
    calls `jensen_shannon` is twice that.

    Args:
      weight: w, of p.
    Raises:
      ValueError: weight is not between 0 and 1.
    Example:
      >>> p, q = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])
      >>> float(discrete_divergence(p, q, weighted_jensen_shannon(0.5)))  # log 2
      0.6931
    Source: Nowozin et al. (2016), "f-GAN", table 4; Lin (1991), "Divergence measures based on the
      Shannon entropy", equation 4.1.
    """
    w = float(weight)
    if not 0 < w < 1:
        raise ValueError(f"weight: got {weight}, expected a number between 0 and 1")
    log_w, log_rest = math.log(w), math.log1p(-w)
    upper = -w * log_w

    def activated_conjugate(v: Float[Array, "..."]) -> Float[Array, "..."]:
        # log(1 - sigmoid(v)^(1/w)), whose argument is e^-v / w where that is small.
        far = v > 30.0
        near = jnp.log(-expm1(-softplus(-jnp.where(far, 0.0, v)) / w))
        return (1 - w) * (log_rest - jnp.where(far, -v - log_w, near))

    return assemble(
        f"Jensen-Shannon, weight {w:g}",
        f=lambda u: w * xlogy(u, u) - xlogy(1 - w + w * u, 1 - w + w * u),
        f_prime=lambda u: -w * jnp.log(w + (1 - w) / u),
        conjugate=lambda t: (1 - w) * (log_rest - jnp.log(-expm1(jnp.minimum(t / w + log_w, 0.0)))),
        domain=(-math.inf, upper),
        activation=lambda v: upper - softplus(-v),
        activated_conjugate=activated_conjugate,
        canonical=lambda v: -w * jnp.logaddexp(log_w, log_rest - v),
        canonical_conjugate=lambda v: (1 - w) * jnp.logaddexp(log_rest, log_w + v),
        curvature=w * (1 - w),
    )


def _log_softplus(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Returns log softplus(x), which is x where e^x is small."""
    small = x < -30.0
    return jnp.where(small, x, jnp.log(softplus(jnp.where(small, 0.0, x))))

"""The eleven f-divergences of f-GAN, by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp
from jax.nn import softplus
from jax.scipy.special import xlogy
from jaxtyping import Array, Float

from jaxgen.checks import one_of
from jaxgen.divergences.f_divergence import FDivergence, assemble
from jaxgen.numerics import expm1

INF = math.inf
LOG2 = math.log(2.0)


def alpha_divergence(alpha: float) -> FDivergence:
    """Returns the divergence of f(u) = (u^a - 1 - a (u - 1)) / (a (a - 1)), of f''(1) = 1.

    a = 2 is half of Pearson's chi², a = -1 half of Neyman's, a = 1/2 twice the squared Hellinger
    distance; exchanging p and q exchanges a and 1 - a.

    Raises:
      ValueError: alpha is 0 or 1 (the limits, `reverse_kl` and `kl`) or not finite.
    Example:
      alpha_divergence(0.5)
    Source: Nowozin et al. (2016), table 4; Amari (1985).
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
        return jnp.where(empty, INF if 0 < a < 1 else -1 / a, value)

    below = a < 1
    upper = 1 / (1 - a) if below else INF
    return assemble(
        f"alpha {a:g}",
        f=lambda u: (u**a - 1 - a * (u - 1)) / (a * (a - 1)),
        f_prime=lambda u: (u ** (a - 1) - 1) / (a - 1),
        conjugate=conjugate,
        domain=(-INF, upper),
        activation=(lambda v: upper - softplus(-v)) if below else (lambda v: v),
        activated_conjugate=(lambda v: expm1(power * (math.log(1 - a) + _log_softplus(-v))) / a)
        if below
        else None,
        canonical=lambda v: expm1((a - 1) * v) / (a - 1),
        canonical_conjugate=lambda v: expm1(a * v) / a,
        curvature=1.0,
    )


def weighted_jensen_shannon(weight: float) -> FDivergence:
    """Returns w KL(p || m) + (1 - w) KL(q || m) with m = w p + (1 - w) q, in nats.

    With a weight of 1/2 this is the JSD with its factors of one half, at most log 2; what the table
    calls `jensen_shannon` is twice that.

    Args:
      weight: w, of p.
    Raises:
      ValueError: weight is not between 0 and 1.
    Example:
      weighted_jensen_shannon(0.5)
    Source: Nowozin et al. (2016), table 4; Lin (1991), equation 4.1.
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
        domain=(-INF, upper),
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


@jax.custom_jvp
def _jeffrey_log_ratio(t: Float[Array, "..."]) -> Float[Array, "..."]:
    """Returns the v with v - expm1(-v) = t: -log of Lambert's W0 at e^(1 - t).

    Newton's steps for y = -v in y + e^y = 1 - t, from above the root of a convex function.
    """
    x = 1 - t
    y = jnp.where(x > 1, jnp.log(jnp.maximum(x, 1.0)), x)
    for _ in range(7):
        y = y - (y + jnp.exp(y) - x) / (1 + jnp.exp(y))
    return jnp.where(jnp.isinf(t), t, -y)


@_jeffrey_log_ratio.defjvp
def _(primals, tangents):
    v = _jeffrey_log_ratio(*primals)
    return v, jax.nn.sigmoid(v) * tangents[0]


def _jeffrey_conjugate(t: Float[Array, "..."]) -> Float[Array, "..."]:
    v = _jeffrey_log_ratio(t)
    return expm1(v) + v


DIVERGENCES: Mapping[str, FDivergence] = MappingProxyType(
    {
        "total_variation": assemble(
            "total variation",
            f=lambda u: 0.5 * jnp.abs(u - 1),
            f_prime=lambda u: 0.5 * jnp.sign(u - 1),
            conjugate=lambda t: t,
            domain=(-0.5, 0.5),
            activation=lambda v: 0.5 * jnp.tanh(v),
            canonical=lambda v: 0.5 * jnp.sign(v),
            canonical_conjugate=lambda v: 0.5 * jnp.sign(v),
            curvature=None,
        ),
        "kl": assemble(
            "KL",
            f=lambda u: xlogy(u, u),
            f_prime=lambda u: 1 + jnp.log(u),
            conjugate=lambda t: jnp.exp(t - 1),
            domain=(-INF, INF),
            activation=lambda v: v,
            canonical=lambda v: 1 + v,
            canonical_conjugate=jnp.exp,
            curvature=1.0,
        ),
        "reverse_kl": assemble(
            "reverse KL",
            f=lambda u: -jnp.log(u),
            f_prime=lambda u: -1 / u,
            conjugate=lambda t: -1 - jnp.log(-t),
            domain=(-INF, 0.0),
            activation=lambda v: -jnp.exp(-v),
            activated_conjugate=lambda v: v - 1,
            canonical=lambda v: -jnp.exp(-v),
            canonical_conjugate=lambda v: v - 1,
            curvature=1.0,
        ),
        "pearson": assemble(
            "Pearson chi²",
            f=lambda u: (u - 1) ** 2,
            f_prime=lambda u: 2 * (u - 1),
            # Below -2 the supremum is at u = 0.
            conjugate=lambda t: jnp.where(t < -2, -1.0, jnp.maximum(t, -2.0) ** 2 / 4 + t),
            domain=(-INF, INF),
            activation=lambda v: v,
            canonical=lambda v: 2 * expm1(v),
            canonical_conjugate=lambda v: expm1(2 * v),
            curvature=2.0,
        ),
        "neyman": assemble(
            "Neyman chi²",
            f=lambda u: (u - 1) * (1 - 1 / u),
            f_prime=lambda u: 1 - u**-2.0,
            conjugate=lambda t: 2 - 2 * jnp.sqrt(1 - t),
            domain=(-INF, 1.0),
            activation=lambda v: -expm1(-v),
            activated_conjugate=lambda v: -2 * expm1(-v / 2),
            canonical=lambda v: -expm1(-2 * v),
            canonical_conjugate=lambda v: -2 * expm1(-v),
            curvature=2.0,
        ),
        "squared_hellinger": assemble(
            "squared Hellinger",
            f=lambda u: (jnp.sqrt(u) - 1) ** 2,
            f_prime=lambda u: 1 - u**-0.5,
            conjugate=lambda t: 1 / (1 - t) - 1,
            domain=(-INF, 1.0),
            activation=lambda v: -expm1(-v),
            activated_conjugate=expm1,
            canonical=lambda v: -expm1(-v / 2),
            canonical_conjugate=lambda v: expm1(v / 2),
            curvature=0.5,
        ),
        "jeffrey": assemble(
            "Jeffrey",
            f=lambda u: (u - 1) * jnp.log(u),
            f_prime=lambda u: jnp.log(u) + 1 - 1 / u,
            conjugate=_jeffrey_conjugate,
            domain=(-INF, INF),
            activation=lambda v: v,
            canonical=lambda v: v - expm1(-v),
            canonical_conjugate=lambda v: expm1(v) + v,
            curvature=2.0,
        ),
        # KL(p || m) + KL(q || m), as in Nowozin et al. (2016): 2 JSD.
        "jensen_shannon": assemble(
            "Jensen-Shannon",
            f=lambda u: xlogy(u, 2 / (1 + 1 / u)) - jnp.log1p(u) + LOG2,
            f_prime=lambda u: LOG2 - jnp.log1p(1 / u),
            conjugate=lambda t: -LOG2 - jnp.log(-expm1(t - LOG2)),
            domain=(-INF, LOG2),
            activation=lambda v: LOG2 - softplus(-v),
            activated_conjugate=lambda v: softplus(v) - LOG2,
            canonical=lambda v: LOG2 - softplus(-v),
            canonical_conjugate=lambda v: softplus(v) - LOG2,
            curvature=0.5,
        ),
        # The JSD proper, with its halves.
        "weighted_jensen_shannon": weighted_jensen_shannon(0.5),
        # 2 JSD - log 4: the value of the minimax game.
        "gan": assemble(
            "GAN",
            f=lambda u: -xlogy(u, 1 + 1 / u) - jnp.log1p(u),
            f_prime=lambda u: -jnp.log1p(1 / u),
            conjugate=lambda t: -jnp.log(-expm1(t)),
            domain=(-INF, 0.0),
            activation=lambda v: -softplus(-v),
            activated_conjugate=softplus,
            canonical=lambda v: -softplus(-v),
            canonical_conjugate=softplus,
            curvature=0.5,
            at_one=-2 * LOG2,
        ),
        "alpha": alpha_divergence(1.5),
    }
)
"""The divergences of `f_divergence.md`'s kind by name; of the two families one member each, the JSD
and alpha = 1.5. In nats where a logarithm is in them."""


def divergence_by_name(name: str) -> FDivergence:
    """Returns DIVERGENCES[name].

    Raises:
      ValueError: there is no such name; the message lists them.
    Example:
      divergence_by_name("kl")
    """
    return DIVERGENCES[one_of("divergence", name, DIVERGENCES)]

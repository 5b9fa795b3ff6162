"""The eleven f-divergences of f-GAN, by name."""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax.nn import softplus
from jax.scipy.special import xlogy
from jaxtyping import Array, Float

from jaxgen.divergences.f_divergence import FDivergence, assemble
from jaxgen.divergences.families import alpha_divergence, weighted_jensen_shannon
from jaxgen.numerics import expm1
from jaxgen.values import ByName, known_by_name

INF = math.inf
LOG2 = math.log(2.0)


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


_TABLE: dict[str, FDivergence] = {
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
_OF_A_FAMILY = {"weighted_jensen_shannon", "alpha"}  # known by the call that makes them

DIVERGENCES: Mapping[str, FDivergence] = ByName(
    "divergence",
    {
        name: value if name in _OF_A_FAMILY else known_by_name(f"DIVERGENCES[{name!r}]", value)
        for name, value in _TABLE.items()
    },
)
"""The f-divergences of Nowozin et al. (2016), "f-GAN", tables 4 and 6, by name; of the two families
one member each, the JSD and alpha = 1.5. In nats where a logarithm is in them."""

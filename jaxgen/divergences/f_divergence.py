"""An f-divergence as a value: its generator, conjugate and the critics that bound it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.values import Value

Elementwise: TypeAlias = Callable[[Float[Array, "..."]], Float[Array, "..."]]


class FDivergence(Value):
    """D_f(p || q) = E_q f(p/q), p the data and q the model, with all that bounds it from samples.

    Every critic t(x) in dom f* gives D_f >= E_p t - E_q f*(t), tight at t = f'(p/q). A raw critic
    output v, any real number, becomes such a t in two ways: by `activation`, or by `canonical`,
    where the best v is log p/q for every divergence. Each comes with f* of it in one stable form:
    composed in two steps it is wrong or infinite in float32 from |v| = 16 on.

    All functions act elementwise and stay free of NaN: inf where the true value is, or overflows.
    Divergences made by equal calls are equal and hashable: `alpha_divergence(0.5)` is one value.

    Attributes:
      name: the field's name for it.
      f: the generator, convex on u >= 0, inf below.
      f_prime: its derivative (a subgradient where there is a kink).
      conjugate: f*(t) = sup_u u t - f(u), inf outside the domain.
      domain: least and greatest t with f*(t) finite, as limits; the greatest is lim f(u) / u.
      activation: g, increasing, from the real line into the domain (Nowozin et al. 2016).
      activated_conjugate: f*(g(v)).
      canonical: g_c(v) = f'(e^v).
      canonical_conjugate: h_c(v) = f*(f'(e^v)).
      curvature: f''(1), or None if f has a kink there. D_f is near it times half of chi² where p is
        close to q.
      at_one: f(1), the divergence of p from itself: 0 but for GAN.
    Example:
      >>> kl = DIVERGENCES["kl"]
      >>> float(kl.f(jnp.array(2.0)))  # 2 log 2
      1.3863
      >>> float(kl.canonical(jnp.array(0.0)))  # f'(1)
      1.0
    """

    name: str
    f: Elementwise
    f_prime: Elementwise
    conjugate: Elementwise
    domain: tuple[float, float]
    activation: Elementwise
    activated_conjugate: Elementwise
    canonical: Elementwise
    canonical_conjugate: Elementwise
    curvature: float | None
    at_one: float


def assemble(
    name: str,
    *,
    f: Elementwise,
    f_prime: Elementwise,
    conjugate: Elementwise,
    domain: tuple[float, float],
    activation: Elementwise,
    activated_conjugate: Elementwise | None = None,
    canonical: Elementwise | None = None,
    canonical_conjugate: Elementwise | None = None,
    curvature: float | None,
    at_one: float = 0.0,
) -> FDivergence:
    """Returns the divergence with `f` and `conjugate` inf where they are not defined; unchecked.

    Args:
      f: need only be right for finite u >= 0.
      conjugate: need only be right in the domain.
      activated_conjugate: composed in two steps if not given, as are the canonical pair.
    """
    lower, upper = domain
    inside = min(max(0.0, lower + 1), upper - 1) if upper - lower > 2 else (lower + upper) / 2

    def generator(u: Float[Array, "..."]) -> Float[Array, "..."]:
        # f grows as `upper` u; with a slope of zero at infinity it falls all the way down there.
        beyond = (u < 0) | (u == jnp.inf)
        at_infinity = math.inf if upper > 0 else -math.inf
        return jnp.where(
            beyond, jnp.where(u < 0, jnp.inf, at_infinity), f(jnp.where(beyond, 1.0, u))
        )

    def extended(t: Float[Array, "..."]) -> Float[Array, "..."]:
        outside = (t < lower) | (t > upper)
        return jnp.where(outside, jnp.inf, conjugate(jnp.where(outside, inside, t)))

    canonical = canonical or (lambda v: f_prime(jnp.exp(v)))
    canonical_conjugate = canonical_conjugate or (lambda v, t=canonical: extended(t(v)))
    return FDivergence(
        name=name,
        f=generator,
        f_prime=f_prime,
        conjugate=extended,
        domain=domain,
        activation=activation,
        activated_conjugate=activated_conjugate or (lambda v: extended(activation(v))),
        canonical=canonical,
        canonical_conjugate=canonical_conjugate,
        curvature=curvature,
        at_one=at_one,
    )

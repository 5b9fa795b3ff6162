"""An f-divergence of one's own."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.divergences.f_divergence import Elementwise, FDivergence, assemble
from jaxgen.divergences.self_check import check_divergence
from jaxgen.values import known_by_call


@known_by_call
def f_divergence(
    name: str,
    *,
    f: Elementwise,
    conjugate: Elementwise,
    domain: tuple[float, float],
    activation: Elementwise,
    f_prime: Elementwise | None = None,
    activated_conjugate: Elementwise | None = None,
    canonical: Elementwise | None = None,
    canonical_conjugate: Elementwise | None = None,
    kink: bool = False,
) -> FDivergence:
    """Returns a divergence of your own, checked: see `check_divergence`.

    Args:
      f: the generator on u >= 0, convex with f(1) = 0.
      conjugate: f* in the domain.
      domain: least and greatest t with f*(t) finite; infinite ones as `math.inf`.
      activation: increasing, from the real line into the domain.
      f_prime: by automatic differentiation if not given.
      activated_conjugate: f*(g(v)) in one stable form; in two steps if not given.
      canonical: f'(e^v), likewise.
      canonical_conjugate: f*(f'(e^v)), likewise.
      kink: whether f has no second derivative at 1; one that is not declared is refused.
    Raises:
      ValueError: the parts do not fit together; the message names the part, the point and both
        numbers.
    Example:
      >>> half_pearson = f_divergence(
      ...     "half Pearson",
      ...     f=lambda u: (u - 1) ** 2 / 2,
      ...     domain=(-np.inf, np.inf),
      ...     conjugate=lambda t: jnp.where(t < -1, -0.5, t + t**2 / 2),
      ...     activation=lambda v: v,
      ... )
      >>> half_pearson.curvature
      1.0
    """
    lower, upper = domain
    if not lower < upper:
        raise ValueError(f"domain: got {domain}, expected (lower, upper) with lower < upper")
    derivative = f_prime or (lambda u: jax.jvp(f, (u,), (jnp.ones_like(u),))[1])
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        second = jax.jit(lambda one: jax.jvp(derivative, (one,), (one,))[1])
        curvature = None if kink else float(second(np.ones(())))
    divergence = assemble(
        name,
        f=f,
        f_prime=derivative,
        conjugate=conjugate,
        domain=domain,
        activation=activation,
        activated_conjugate=activated_conjugate,
        canonical=canonical,
        canonical_conjugate=canonical_conjugate,
        curvature=curvature,
    )
    check_divergence(divergence)
    return divergence

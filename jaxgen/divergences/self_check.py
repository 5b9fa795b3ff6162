"""Whether the parts of an f-divergence fit together."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.divergences.f_divergence import FDivergence

TOLERANCE = 1e-7  # of float64 numbers, relative to their size or to one


def check_divergence(divergence: FDivergence) -> None:
    """Raises unless the parts agree, in float64, at ratios from e^-6 to e^6 and critics to ±12.

    In this order: f(1); f convex; f_prime a subgradient of f; Young's equality f*(f'(u)) =
    u f'(u) - f(u); the activation increasing and into the domain; Fenchel's inequality f*(t) >=
    u t - f(u) at its values, without which there is no bound; the fused forms equal to those in two
    steps.

    Raises:
      ValueError: naming the part that is wrong, where, what got and what was expected.
    Example:
      >>> check_divergence(DIVERGENCES["kl"])
    """
    # The points come as arguments: as constants each operation on them would be compiled by itself.
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        values = jax.jit(lambda *points: _evaluate(divergence, *points))(
            np.linspace(-6.0, 6.0, 25), np.linspace(-12.0, 12.0, 25), np.ones(1)
        )
    _check(divergence, {name: np.asarray(value) for name, value in values.items()})


def _evaluate(
    d: FDivergence, v: Float[Array, "25"], wide: Float[Array, "25"], one: Float[Array, "1"]
) -> dict[str, Array]:
    """Returns all that the laws speak of."""
    u = jnp.exp(v)
    middle, slope, t = (u[:-2] + u[2:]) / 2, d.f_prime(u), d.activation(wide)
    return {
        "v": v,
        "u": u,
        "f(1)": d.f(one),
        "f": d.f(u),
        "middle": middle,
        "f(middle)": d.f(middle),
        "slope": slope,
        "f*(slope)": d.conjugate(slope),
        "wide": wide,
        "t": t,
        "f*(t)": d.conjugate(t),
        "f*(g(v))": d.conjugate(d.activation(v)),
        "fused": d.activated_conjugate(v),
        "g_c": d.canonical(v),
        "h_c": d.canonical_conjugate(v),
    }


def _check(d: FDivergence, at: dict[str, np.ndarray]) -> None:
    u, v, wide, t = at["u"], at["v"], at["wide"], at["t"]
    f, slope = at["f"], at["slope"]
    _equal("f", "f(1)", np.ones(1), at["f(1)"], np.array([d.at_one]))
    chord = (f[:-2] + f[2:]) / 2
    _at_most("f", "convexity, at u", at["middle"], at["f(middle)"], chord)
    tangents = f[:, None] + slope[:, None] * (u - u[:, None])
    _at_most("f_prime", "a tangent below f, at u", u, np.max(tangents, axis=0), f)
    _equal("conjugate", "Young's equality, at u", u, at["f*(slope)"], u * slope - f)
    low, high = (np.full(len(t), end) for end in d.domain)
    _at_most("activation", "the domain's lower end, at v", wide, low, t)
    _at_most("activation", "the domain's upper end, at v", wide, t, high)
    _at_most("activation", "an increasing function, at v", wide[1:], t[:-1], t[1:])
    supremum = np.max(u[:, None] * t - f[:, None], axis=0)
    _at_most("conjugate", "Fenchel's inequality, at v", wide, supremum, at["f*(t)"])
    _equal("activated_conjugate", "f*(g(v)), at v", v, at["fused"], at["f*(g(v))"])
    _equal("canonical", "f'(e^v), at v", v, at["g_c"], slope)
    _equal("canonical_conjugate", "f*(f'(e^v)), at v", v, at["h_c"], at["f*(slope)"])


def _equal(part: str, law: str, where: np.ndarray, got: np.ndarray, expected: np.ndarray) -> None:
    _raise_at(part, law, where, got, expected, np.abs(got - expected))


def _at_most(part: str, law: str, where: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    with np.errstate(invalid="ignore"):  # inf - inf, where the two are equal
        excess = np.where(low <= high, 0.0, low - high)
    _raise_at(part, law, where, low, high, excess)


def _raise_at(
    part: str,
    law: str,
    where: np.ndarray,
    got: np.ndarray,
    expected: np.ndarray,
    excess: np.ndarray,
) -> None:
    """Raises for the first point where `excess` is more than rounding."""
    size = np.where(np.isfinite(expected), np.abs(expected), 0.0)
    wrong = ~(excess <= TOLERANCE * (1 + size))  # NaN is wrong too
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(
            f"{part}: breaks {law} = {where[i]:.4g}: got {got[i]:.6g} against {expected[i]:.6g}"
        )

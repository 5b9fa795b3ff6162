"""Whether the parts of an f-divergence fit together."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.divergences.f_divergence import FDivergence

TOLERANCE = 1e-7  # of float64 numbers, relative to their size or to one
COARSE = 1e-2  # of a supremum over the ratios, and of a second difference

_STEP = 1e-4
_AROUND_1 = np.array([1 - _STEP, 1.0, 1 + _STEP])
_RATIOS = np.exp(np.linspace(-20.0, 20.0, 801))  # that suprema are looked for among


def check_divergence(divergence: FDivergence) -> None:
    """Raises unless the parts agree, in float64, at ratios from e^-6 to e^6 and critics to ±12.

    In this order: f(1); f convex; f_prime a subgradient of f; f bent at 1 as its curvature says,
    without a kink that is not declared; Young's equality f*(f'(u)) = u f'(u) - f(u); the activation
    increasing and into the domain; Fenchel's inequality f*(t) >= u t - f(u) at its values, without
    which there is no bound; towards the ends of the domain, beyond all these slopes, f*(t) the
    supremum of u t - f(u); the fused forms equal to those in two steps.

    Raises:
      ValueError: naming the part that is wrong, where, what got and what was expected.
    Example:
      >>> check_divergence(DIVERGENCES["kl"])
    """
    # The points come as arguments: as constants each operation on them would be compiled by itself.
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        values = _evaluate(
            divergence,
            np.linspace(-6.0, 6.0, 25),
            np.linspace(-12.0, 12.0, 25),
            _AROUND_1,
            _RATIOS,
        )
    _check(divergence, {name: np.asarray(value) for name, value in values.items()})


@functools.partial(jax.jit, static_argnums=0)
def _evaluate(
    d: FDivergence,
    v: Float[Array, "25"],
    wide: Float[Array, "25"],
    around: Float[Array, "3"],
    ratios: Float[Array, "ratios"],
) -> dict[str, Array]:
    """Returns all that the laws speak of."""
    u = jnp.exp(v)
    middle, slope, t = (u[:-2] + u[2:]) / 2, d.f_prime(u), d.activation(wide)
    ends = _towards_the_ends(d, slope)
    return {
        "v": v,
        "u": u,
        "around": d.f(around),
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
        "ends": ends,
        "f*(ends)": d.conjugate(ends),
        "suprema": jnp.max(ratios[:, None] * ends - d.f(ratios)[:, None], axis=0),
        "steepest": d.f_prime(ratios[-1:]),
    }


def _towards_the_ends(d: FDivergence, slopes: Float[Array, "25"]) -> Float[Array, "5"]:
    """Returns points of the domain below and above the slopes, as far as it goes."""
    below = slopes[0] - (1 + jnp.abs(slopes[0])) * np.array([0.1, 1.0, 10.0])
    above = slopes[-1] + (1 + jnp.abs(slopes[-1])) * np.array([0.1, 1.0])
    low, high = (
        end + inward * (1 + abs(end)) if math.isfinite(end) else end
        for end, inward in zip(d.domain, (1e-9, -1e-9), strict=True)
    )
    return jnp.clip(jnp.concatenate([below, above]), low, high)


def _check(d: FDivergence, at: dict[str, np.ndarray]) -> None:
    u, v, wide, t = at["u"], at["v"], at["wide"], at["t"]
    f, slope = at["f"], at["slope"]
    before, at_one, after = at["around"]
    _equal("f", "f(1)", np.ones(1), np.array([at_one]), np.array([d.at_one]))
    chord = (f[:-2] + f[2:]) / 2
    _at_most("f", "convexity, at u", at["middle"], at["f(middle)"], chord)
    tangents = f[:, None] + slope[:, None] * (u - u[:, None])
    _at_most("f_prime", "a tangent below f, at u", u, np.max(tangents, axis=0), f)
    if d.curvature is not None:
        bent = np.array([before + after - 2 * at_one]) / _STEP**2
        law = "f's second derivative without one, by differences at u"
        _equal("kink", law, np.ones(1), bent, np.array([d.curvature]), COARSE)
    _equal("conjugate", "Young's equality, at u", u, at["f*(slope)"], u * slope - f)
    low, high = (np.full(len(t), end) for end in d.domain)
    _at_most("activation", "the domain's lower end, at v", wide, low, t)
    _at_most("activation", "the domain's upper end, at v", wide, t, high)
    _at_most("activation", "an increasing function, at v", wide[1:], t[:-1], t[1:])
    supremum = np.max(u[:, None] * t - f[:, None], axis=0)
    _at_most("conjugate", "Fenchel's inequality, at v", wide, supremum, at["f*(t)"])
    ends, came, suprema = at["ends"], at["f*(ends)"], at["suprema"]
    _at_most("domain", "Fenchel's inequality, at t", ends, suprema, came, COARSE)
    # Where the supremum is at a greater ratio than any here, there is no more to be said.
    known = ends <= at["steepest"]
    law = "the supremum of u t - f(u), at t"
    _equal("conjugate", law, ends[known], came[known], suprema[known], COARSE)
    _equal("activated_conjugate", "f*(g(v)), at v", v, at["fused"], at["f*(g(v))"])
    _equal("canonical", "f'(e^v), at v", v, at["g_c"], slope)
    _equal("canonical_conjugate", "f*(f'(e^v)), at v", v, at["h_c"], at["f*(slope)"])


def _equal(
    part: str,
    law: str,
    where: np.ndarray,
    got: np.ndarray,
    expected: np.ndarray,
    tolerance: float = TOLERANCE,
) -> None:
    with np.errstate(invalid="ignore"):  # inf - inf, where the two are equal
        excess = np.where(got == expected, 0.0, np.abs(got - expected))
    _raise_at(part, law, where, got, expected, excess, tolerance)


def _at_most(
    part: str,
    law: str,
    where: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    tolerance: float = TOLERANCE,
) -> None:
    with np.errstate(invalid="ignore"):
        excess = np.where(low <= high, 0.0, low - high)
    _raise_at(part, law, where, low, high, excess, tolerance)


def _raise_at(
    part: str,
    law: str,
    where: np.ndarray,
    got: np.ndarray,
    expected: np.ndarray,
    excess: np.ndarray,
    tolerance: float,
) -> None:
    """Raises for the first point where `excess` is more than rounding."""
    size = np.where(np.isfinite(expected), np.abs(expected), 0.0)
    wrong = ~(excess <= tolerance * (1 + size))  # NaN is wrong too
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(
            f"{part}: breaks {law} = {where[i]:.4g}: got {got[i]:.6g} against {expected[i]:.6g}"
        )

"""f-divergences where they can be computed exactly: probability vectors, Gaussians."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.divergences.f_divergence import FDivergence
from jaxgen.numerics import at_least_float32
from jaxgen.types import Scalar


def discrete_divergence(
    p_probs: Float[ArrayLike, "..."], q_probs: Float[ArrayLike, "..."], divergence: FDivergence
) -> Scalar:
    """Returns D_f(p || q) of two probability vectors, inf where it is infinite.

    What p puts where q has nothing counts with the slope of f at infinity, as the definition has
    it: finite for total variation, squared Hellinger and the Jensen-Shannons.

    Args:
      p_probs: of the data, [k], summing to one.
      q_probs: of the model, likewise.
    Raises:
      ValueError: the two are no vectors of one length, or no probabilities.
    Example:
      >>> p, q = jnp.array([0.5, 0.5, 0.0]), jnp.full(3, 1 / 3)
      >>> float(discrete_divergence(p, q, DIVERGENCES["kl"]))  # log 3/2
      0.4055
      >>> float(discrete_divergence(q, p, DIVERGENCES["kl"]))
      inf
    """
    p_probs, q_probs = at_least_float32("p_probs", p_probs), at_least_float32("q_probs", q_probs)
    if p_probs.ndim != 1 or p_probs.shape != q_probs.shape:
        raise ValueError(
            f"q_probs: got shape {q_probs.shape}, expected a vector like p_probs of shape "
            f"{p_probs.shape}"
        )
    _sum_to_one("p_probs", p_probs)
    _sum_to_one("q_probs", q_probs)
    both = (p_probs > 0) & (q_probs > 0)
    only_q = (p_probs == 0) & (q_probs > 0)
    ratio = jnp.where(both, p_probs, 1.0) / jnp.where(both, q_probs, 1.0)
    at_zero, at_infinity = divergence.f(jnp.zeros(())), divergence.domain[1]
    # Where neither has mass nothing is added; a NaN is in none of these sets and is passed on.
    terms = jnp.where(both, q_probs * divergence.f(ratio), p_probs * 0 + q_probs * 0)
    terms = jnp.where(only_q, jnp.where(only_q, q_probs, 1.0) * at_zero, terms)
    only_p = (p_probs > 0) & (q_probs == 0)
    return jnp.sum(jnp.where(only_p, jnp.where(only_p, p_probs, 1.0) * at_infinity, terms))


def _sum_to_one(name: str, probs: Float[Array, "k"]) -> None:
    """Raises unless they are probabilities; traced ones are trusted, and NaN shows by itself."""
    if isinstance(probs, Tracer):
        return
    numbers = np.asarray(probs, np.float64)
    least, total = numbers.min(), numbers.sum()
    if least < 0 or abs(total - 1) >= 0.01:
        raise ValueError(
            f"{name}: got numbers >= {least:g} with a sum of {total:g}, expected probabilities, "
            "with a sum of 1"
        )


def gaussian_alpha_divergence(
    p_mean: Float[ArrayLike, "..."],
    p_scale: Float[ArrayLike, "..."],
    q_mean: Float[ArrayLike, "..."],
    q_scale: Float[ArrayLike, "..."],
    alpha: float,
) -> Scalar:
    """Returns the alpha divergence of two Gaussians with diagonal covariance, inf where infinite.

    In the normalization of `alpha_divergence`: alpha 1 is KL(p || q), 0 the reverse KL; Pearson's
    chi² is twice alpha 2, Neyman's twice alpha -1, the squared Hellinger distance half of alpha
    1/2, Jeffrey's the sum of alpha 0 and 1. Infinite unless alpha q_scale² + (1 - alpha) p_scale²
    is positive in every dimension.

    Args:
      p_mean: of the data, [dims].
      p_scale: its standard deviations, [dims].
      q_mean: of the model, [dims].
      q_scale: its standard deviations, [dims].
    Raises:
      ValueError: the four are no vectors of one length.
    Example:
      >>> zeros, ones = jnp.zeros(3), jnp.ones(3)
      >>> float(gaussian_alpha_divergence(zeros, ones, ones, ones, 1.0))  # KL: 3 times 1/2
      1.5
      >>> float(2 * gaussian_alpha_divergence(zeros, ones, ones, ones, 2.0))  # Pearson's: e³ - 1
      19.0855
    Source: Liese & Vajda (1987), "Convex Statistical Distances", proposition 2.22; Gil et al.
      (2013), "Rényi divergence measures for commonly used univariate continuous distributions",
      table 2.
    """
    given = {"p_mean": p_mean, "p_scale": p_scale, "q_mean": q_mean, "q_scale": q_scale}
    arrays = {name: at_least_float32(name, array) for name, array in given.items()}
    expected = arrays["p_mean"].shape
    for name, array in arrays.items():
        if array.ndim != 1 or array.shape != expected:
            raise ValueError(
                f"{name}: got shape {array.shape}, expected (dims,) as the others, {expected}"
            )
    p_mean, p_scale, q_mean, q_scale = arrays.values()
    a, gap = float(alpha), p_mean - q_mean
    if a in (0.0, 1.0):
        if a == 0.0:
            p_scale, q_scale = q_scale, p_scale
        ratio = p_scale / q_scale
        return jnp.sum(-jnp.log(ratio) + 0.5 * (ratio**2 + (gap / q_scale) ** 2 - 1))
    variance = a * q_scale**2 + (1 - a) * p_scale**2
    infinite = variance <= 0  # NaN is neither
    variance = jnp.where(infinite, 1.0, variance)
    # log of the integral of p^a q^(1 - a), from whichever of a and 1 - a is small: near 0 and 1 it
    # is of that order, and is divided by it.
    small, ratio = (1 - a, p_scale / q_scale) if abs(1 - a) < abs(a) else (a, q_scale / p_scale)
    growth = jnp.log1p(jnp.where(infinite, 0.0, small * (ratio**2 - 1)))
    log_affinity = jnp.sum(
        small * jnp.log(ratio) - 0.5 * growth - 0.5 * a * (1 - a) * gap**2 / variance
    )
    return jnp.where(jnp.any(infinite), jnp.inf, jnp.expm1(log_affinity) / (a * (a - 1)))

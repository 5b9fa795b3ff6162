"""Expectations under a mixture in the plane, by quadrature that follows what is integrated."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.distributions import IsotropicMixture

NODES = 4
"""Of Gauss and Legendre in each dimension of a cell."""
REACH = 6.0
"""Standard deviations from a mode: 1e-8 of its mass lies beyond."""
BLOCK = 2**14
"""Points that are evaluated at once."""
MAX_ROUNDS = 8


def expectation(
    p: IsotropicMixture,
    f: Callable[[Float[Array, "n 2"]], Float[Array, "n"]],
    *,
    tolerance: float = 1e-3,
) -> float:
    """Returns E_p[f(x)] without a draw: the sum of integrals around each mode.

    A cell is divided into four until its integral is that of its parts, to its share of the
    tolerance: where f is rough there are many cells, elsewhere few.

    Args:
      p: in the plane.
      f: of points [n, 2], finite wherever p has mass.
      tolerance: of the whole.
    Example:
      >>> entropy = expectation(ring(), lambda x: -ring().log_prob(x))  # -2.91 nats
    """
    g, w = np.polynomial.legendre.leggauss(NODES)
    lattice = np.stack(np.meshgrid(g, g), axis=-1).reshape(-1, 2) / 2
    weights = np.outer(w, w).ravel() / 4
    standard = jax.jit(lambda x: jnp.sum(-0.5 * x**2 - 0.5 * jnp.log(2 * jnp.pi), axis=1))
    f = jax.jit(f)

    def integrals(modes: np.ndarray, centers: np.ndarray, side: float) -> np.ndarray:
        """Of each cell, given by the mode that it is around and by standardized coordinates."""
        z = (centers[:, None] + side * lattice).reshape(-1, 2)
        which = np.repeat(modes, len(lattice))
        x = np.asarray(p.modes)[which] + np.asarray(p.scales)[which, None] * z
        values = []
        for start in range(0, len(x), BLOCK):
            block = x[start : start + BLOCK]
            padded = np.concatenate([block, np.repeat(block[-1:], BLOCK - len(block), axis=0)])
            values.append(np.asarray(f(padded.astype(np.float32)), np.float64)[: len(block)])
        density = np.exp(np.asarray(standard(z), np.float64)) * np.asarray(p.weights)[which]
        product = (np.concatenate(values) * density).reshape(len(centers), -1)
        return side**2 * product @ weights

    side = REACH / 2
    axis = side * (np.arange(4) - 1.5)
    corners = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    modes = np.repeat(np.arange(len(p.modes)), len(corners))
    centers = np.tile(corners, (len(p.modes), 1))
    whole, total = integrals(modes, centers, side), 0.0
    quarters = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]) / 4
    for _ in range(MAX_ROUNDS):
        parts_centers = (centers[:, None] + side * quarters).reshape(-1, 2)
        parts_modes, side = np.repeat(modes, 4), side / 2
        parts = integrals(parts_modes, parts_centers, side)
        apart = np.abs(parts.reshape(-1, 4).sum(axis=1) - whole)
        # What settled cells err by is bounded by what they differ by; most settle at once.
        again = np.repeat(apart > tolerance / 1000, 4)
        total += parts[~again].sum()
        if not again.any():
            return float(total)
        modes, centers, whole = parts_modes[again], parts_centers[again], parts[again]
    return float(total + whole.sum())

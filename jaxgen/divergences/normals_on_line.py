"""A mixture of normals on the line: its divergences from a normal, and the normal closest to it.

By quadrature in float64: the exact answers that a model trained on samples is held against.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import Array, Float
from scipy import optimize, stats

from jaxgen.divergences.f_divergence import FDivergence
from jaxgen.divergences.sample_terms import SampleTerms
from jaxgen.divergences.variational import variational_bound


class NormalFit(NamedTuple):
    """A normal, and the divergence from it.

    Example:
      >>> NormalFit(mean=1.0, sd=1.8, divergence=0.28).sd
      1.8
    """

    mean: float
    sd: float
    divergence: float


class NormalsOnLine(NamedTuple):
    """The mixture.

    Attributes:
      weights: of the components, summing to one.
      means: of each.
      variances: of each.
      grid: the points of the quadrature, at equal distances, over all that matters.
    Example:
      >>> grid = np.linspace(-30, 30, 3001)
      >>> data = NormalsOnLine((0.33, 0.67), (-1.0, 2.0), (0.065, 2.0), grid)
      >>> round(data.divergence(DIVERGENCES["kl"], mean=1.0, sd=1.8), 3)  # of N(1, 1.8²), in nats
      0.283
    """

    weights: Sequence[float]
    means: Sequence[float]
    variances: Sequence[float]
    grid: Float[np.ndarray, "points"]

    def log_density(self, x: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """Returns log p, in nats."""
        each = stats.norm.logpdf(x[:, None], self.means, np.sqrt(self.variances))
        return np.logaddexp.reduce((np.log(self.weights) + each).T)

    def from_uniform(self, u: Float[Array, "n"]) -> Float[Array, "n"]:
        """Returns draws of p from uniform ones: the lowest are the first component's.

        Example:
          >>> x = data.from_uniform(stratified_uniform(key, 512))
        """
        starts = np.cumsum([0.0, *self.weights])[:-1]
        scales = jnp.sqrt(jnp.asarray(self.variances))
        beyond = [u >= start for start in starts]

        def chosen(of_each: list[Array]) -> Array:
            return jnp.select(beyond[::-1], of_each[::-1])

        shares = [(u - start) / weight for start, weight in zip(starts, self.weights, strict=True)]
        quantile = ndtri(jnp.clip(chosen(shares), 1e-7, 1 - 1e-7))
        return chosen(
            [mean + scale * quantile for mean, scale in zip(self.means, scales, strict=True)]
        )

    def divergence(self, divergence: FDivergence, mean: float, sd: float) -> float:
        """Returns D_f(p || N(mean, sd²)), inf where it is infinite."""
        for order in tail_orders(divergence):
            if order * sd**2 + (1 - order) * max(self.variances) <= 0:
                return math.inf
        log_p, log_q = self.log_density(self.grid), stats.norm.logpdf(self.grid, mean, sd)
        q = np.exp(log_q)
        with jax.enable_x64(True):
            f = np.asarray(divergence.f(jnp.exp(jnp.asarray(log_p - log_q))))
        # Where q underflows, p is too small to count.
        return self._spacing * float(np.sum(q * np.where(q > 0, f, 0.0)))

    def infinite_for(self, divergence: FDivergence) -> str:
        """Returns for which sd the divergence is infinite, in words.

        Example:
          >>> data.infinite_for(DIVERGENCES["pearson"])  # "sd <= 1"
        """
        for order in tail_orders(divergence):
            if order not in (0, 1):
                edge = math.sqrt((order - 1) / order * max(self.variances))
                return f"sd {'<=' if order > 0 else '>='} {edge:.3g}"
        return "nowhere"

    def bound(
        self,
        divergence: FDivergence,
        mean: float,
        sd: float,
        v: Float[np.ndarray, "points"],
        *,
        form: Callable[[Array, Array, FDivergence], SampleTerms] = variational_bound,
    ) -> float:
        """Returns the lower bound that a critic's raw outputs on the grid give.

        Args:
          mean, sd: of the model.
          v: the outputs.
          form: `variational_bound` or `activated_bound`.
        """
        p, q = np.exp(self.log_density(self.grid)), stats.norm.pdf(self.grid, mean, sd)
        with jax.enable_x64(True):
            t, conjugate = map(np.asarray, form(jnp.asarray(v), jnp.asarray(v), divergence))
        return self._spacing * float(np.sum(p * t - q * conjugate))

    def closest(self, divergence: FDivergence, *, mean: float, sd: float) -> NormalFit:
        """Returns the normal of the least divergence, by a simplex search over quadratures.

        Args:
          mean, sd: where the search begins; the divergence must be finite there.
        """
        found = optimize.minimize(
            lambda at: self.divergence(divergence, at[0], math.exp(at[1])),
            (mean, math.log(sd)),
            method="Nelder-Mead",
            options={"xatol": 1e-6, "fatol": 1e-9},
        )
        return NormalFit(float(found.x[0]), math.exp(found.x[1]), float(found.fun))

    @property
    def _spacing(self) -> float:
        return float(self.grid[1] - self.grid[0])


@functools.cache
def tail_orders(divergence: FDivergence) -> tuple[float, float]:
    """Returns a >= 1 and b <= 0 if f(u) grows as u^a for large u and as u^b for small.

    Logarithms aside; found from f'', which goes as u^(a - 2). Between normals D_f(p || q) is finite
    if a sd_q² + (1 - a) sd_p² > 0 and the same of b, for that is when the integral of p^a q^(1 - a)
    is.

    Example:
      >>> tail_orders(DIVERGENCES["pearson"]), tail_orders(DIVERGENCES["kl"])
      ((2.0, 0.0), (1.0, 0.0))
    """
    ends = np.exp([20.0, 22.0, -20.0, -22.0])
    with jax.enable_x64(True):
        bent = np.asarray(jax.vmap(jax.grad(divergence.f_prime))(jnp.asarray(ends)))

    def order(near: float, far: float, step: float) -> float:
        if near <= 0 or far <= 0:
            return 0.0  # f'' vanishes: f is a straight line there
        return round(2 + math.log(far / near) / step, 6)

    large, small = order(bent[0], bent[1], 2.0), order(bent[2], bent[3], -2.0)
    return max(large, 1.0), min(small, 0.0)

"""Pairs of 1-D densities and integrals over them, for the tests of divergences."""

import jax.numpy as jnp
import numpy as np
from scipy import stats

# (mean, scale) of p and of q.
PAIRS = {
    "shifted": ((0.0, 1.0), (0.7, 1.0)),
    "wider": ((0.3, 1.0), (0.0, 1.25)),
    "narrower": ((0.0, 1.2), (0.5, 1.0)),
}
GRID = np.linspace(-14.0, 14.0, 8001)
# The target of f-GAN's fit: .33 N(-1, .065) + .67 N(2, 2), the second numbers being variances.
MIXTURE = ((0.33, -1.0, 0.065**0.5), (0.67, 2.0, 2.0**0.5))


def log_normal(mean, scale):
    return jnp.asarray(stats.norm.logpdf(GRID, mean, scale))


def log_mixture():
    parts = [np.log(weight) + stats.norm.logpdf(GRID, mean, sd) for weight, mean, sd in MIXTURE]
    return jnp.asarray(np.logaddexp(*parts))


def expect(log_density, values):
    """E of `values` on the grid; the trapezoidal rule, exact to rounding for smooth densities."""
    return jnp.sum(jnp.exp(log_density) * values) * (GRID[1] - GRID[0])


def exact(log_p, log_q, divergence):
    """D_f(p || q) = E_q f(p/q), from the definition."""
    return float(expect(log_q, divergence.f(jnp.exp(log_p - log_q))))

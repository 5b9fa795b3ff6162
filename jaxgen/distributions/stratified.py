"""Uniform draws that cover the unit interval evenly."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.types import Key


def stratified_uniform(key: Key, count: int) -> Float[Array, "count"]:
    """Returns uniform draws in rising order, one in each of as many equal shares of (0, 1).

    Averages over such a batch have the mean of independent draws and far less noise: for a smooth
    function the variance falls as count⁻³. Through a quantile function they are draws of any
    distribution on the line.

    Raises:
      ValueError: count is below one.
    Example:
      >>> u = stratified_uniform(jax.random.key(0), 4)
      >>> print(jnp.floor(4 * u))  # one in each quarter
      [0. 1. 2. 3.]
      >>> z = jax.scipy.special.ndtri(u)  # of N(0, 1)
    Source: Owen (2013), "Monte Carlo theory, methods and examples", section 8.4.
    """
    count = at_least("count", count, 1)
    shares = (jnp.arange(count) + jax.random.uniform(key, (count,))) / count
    return jnp.clip(shares, 1e-7, 1 - 1e-7)  # rounded to 0 or 1, their quantile would be infinite

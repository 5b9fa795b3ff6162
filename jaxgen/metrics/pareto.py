"""Pareto k-hat: how heavy the tail of importance weights is."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.array_checks import axis_of_samples
from jaxgen.numerics import at_least_float32
from jaxgen.types import Scalar


def pareto_k(log_weights: Float[Array, "..."]) -> Scalar:
    """Returns the shape k of a generalized Pareto distribution fitted to the largest weights.

    Weights have about 1/k finite moments: below 0.5 their mean obeys the central limit theorem,
    above 0.7 an importance-sampled number is not to be trusted at practical sample sizes, whatever
    its standard error says. The fit is to the min(K/5, 3 sqrt(K)) largest. `inf` where fewer than
    five of these stand out (as with K <= 20, or all weights zero); `-inf` where the largest
    weights are all alike, as with q the posterior.

    Args:
      log_weights: [samples], of one datapoint.
    Raises:
      ValueError: log_weights has not one axis, or no entry.
    Example:
      >>> log_weights = jnp.log(jax.random.uniform(jax.random.key(0), (1000,)))
      >>> bool(pareto_k(log_weights) < 0.7), float(pareto_k(3.0 * jnp.arange(1000.0))) > 0.7
      (True, True)
    Source: Vehtari et al. (2024), algorithm 1 and section 3; Zhang & Stephens (2009).
    """
    axis_of_samples("log_weights", log_weights)
    log_weights = at_least_float32("log_weights", log_weights)
    count = len(log_weights)
    num_tail = min(math.ceil(min(0.2 * count, 3 * math.sqrt(count))), count - 1)
    ordered = jnp.sort(log_weights)
    largest = ordered[-1]
    # Zero weights under the threshold are as good as any; all weights zero have no tail.
    weights = jnp.exp(ordered - jnp.where(jnp.isfinite(largest), largest, 0.0))
    if num_tail < 5:
        k = jnp.full_like(largest, jnp.inf)
    else:
        k = generalized_pareto_shape(weights[-num_tail:] - weights[-num_tail - 1])
    return jnp.where(jnp.isfinite(largest) & (ordered[-num_tail - 1] == largest), -jnp.inf, k)


def generalized_pareto_shape(excesses: Float[Array, "tail"]) -> Scalar:
    """Returns the shape of the generalized Pareto law of the positive ones among `excesses`.

    The posterior mean of Zhang & Stephens, drawn to 0.5 with the weight of ten observations; `inf`
    where fewer than five are positive.

    Args:
      excesses: over the threshold, in ascending order; ties with the threshold are left out.
    Source: Zhang & Stephens (2009), sections 3 and 4; Vehtari et al. (2024), appendix G.
    """
    positive = excesses > 0
    count = jnp.sum(positive)
    enough = count >= 5
    # Any numbers do where the answer is not used.
    x = jnp.where(enough, excesses, jnp.arange(1.0, len(excesses) + 1))
    first = jnp.where(enough, len(x) - count, 0)
    quartile = x[first + ((len(x) - first) / 4 + 0.5).astype(int) - 1]
    num_points = 30 + math.isqrt(len(x))
    grid = 1 - jnp.sqrt(num_points / (jnp.arange(1, num_points + 1) - 0.5))
    theta = 1 / x[-1] + grid / (3 * quartile)

    def shape(theta: Array) -> Array:
        return jnp.sum(jnp.log1p(-theta * jnp.maximum(x, 0.0))) / (len(x) - first)

    shapes = jax.vmap(shape)(theta)
    log_likelihood = (len(x) - first) * (jnp.log(-theta / shapes) - shapes - 1)
    k = shape(jnp.sum(jax.nn.softmax(log_likelihood) * theta))
    return jnp.where(enough, (count * k + 5) / (count + 10), jnp.inf)

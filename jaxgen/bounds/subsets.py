"""Bounds made of the importance-weighted bounds of some of the samples: MIWAE, CIWAE, jackknife."""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.bounds.base import Bound
from jaxgen.bounds.renyi import ELBO, IWAE
from jaxgen.checks import at_least
from jaxgen.numerics import log_mean_exp, normalized
from jaxgen.types import Scalar
from jaxgen.values import known_by_call


@known_by_call
def miwae(num_sets: int) -> Bound:
    """Returns the mean over M sets of IWAE's bound of the K/M log weights in each, in nats.

    Its mean is that of IWAE with K/M samples. The signal-to-noise ratio of q's pathwise gradient
    grows as sqrt(M), where more samples in a set lower it. Where the model climbs IWAE of the same
    K log weights and q this one, it is the partially importance-weighted bound, PIWAE: see
    `jaxgen.estimators.two_bounds`.

    Args:
      num_sets: M, which divides the number of samples; 1 is IWAE.
    Raises:
      ValueError: num_sets is below one; or, when called, does not divide the number of samples.
    Example:
      >>> log_weights = jnp.log(jnp.array([1.0, 3.0, 4.0, 4.0]))  # of one datapoint
      >>> float(miwae(2)(log_weights))  # (log 2 + log 4) / 2
      1.0397
    Source: Rainforth et al. (2018), section 6.
    """
    num_sets = at_least("num_sets", num_sets, 1)
    if num_sets == 1:
        return IWAE

    def sets(log_weights: Float[Array, "samples"]) -> Float[Array, "sets in_each"]:
        if len(log_weights) % num_sets:
            raise ValueError(
                f"log_weights: got {len(log_weights)} samples, expected a multiple of {num_sets}"
            )
        return log_weights.reshape(num_sets, -1)

    def path_weights(log_weights: Float[Array, "samples"]) -> Float[Array, "samples"]:
        return jax.vmap(normalized)(sets(log_weights)).reshape(-1) ** 2 / num_sets

    return Bound(
        f"miwae({num_sets})",
        lambda log_weights: jnp.mean(log_mean_exp(sets(log_weights), axis=1)),
        path_weights,
    )


@known_by_call
def ciwae(elbo_weight: float) -> Bound:
    """Returns beta ELBO + (1 - beta) IWAE, in nats: a lower bound between the two.

    Args:
      elbo_weight: beta, from 0 (IWAE) to 1 (the ELBO).
    Raises:
      ValueError: elbo_weight is not in [0, 1].
    Example:
      >>> log_weights = jnp.log(jnp.array([1.0, 3.0]))  # of one datapoint
      >>> float(ciwae(0.5)(log_weights))  # (log sqrt(3) + log 2) / 2
      0.6212
    Source: Rainforth et al. (2018), section 6.
    """
    if not 0 <= elbo_weight <= 1:
        raise ValueError(f"elbo_weight: got {elbo_weight}, expected a number in [0, 1]")
    if elbo_weight in (0, 1):
        return ELBO if elbo_weight else IWAE

    def path_weights(log_weights: Float[Array, "samples"]) -> Float[Array, "samples"]:
        squares = normalized(log_weights) ** 2
        return elbo_weight / len(log_weights) + (1 - elbo_weight) * squares

    return Bound(
        f"ciwae({elbo_weight:g})",
        lambda logs: elbo_weight * ELBO(logs) + (1 - elbo_weight) * IWAE(logs),
        path_weights,
    )


@known_by_call
def jackknife(order: int = 1) -> Bound:
    """Returns sum_j c_j L_(K-j), j = 0..m: L_(K-j) is IWAE's bound, averaged over all K-j samples.

    The mean of IWAE's bound misses log p(x) by a series in 1/K. The weights

        c_j = (-1)^j (K - j)^m / ((m - j)! j!)

    add up to one and cancel its first m terms: what is left is O(1/K^(m+1)), of either sign, so it
    is no lower bound. The variance grows with m. It takes K choose m bounds: an order of 1 or 2.
    Defined where more than m weights are not zero, and -inf elsewhere.

    Args:
      order: m; 0 is IWAE.
    Raises:
      ValueError: order is below zero; or, when called, there are no more samples than that.
    Example:
      >>> log_weights = jnp.log(jnp.array([1.0, 3.0]))  # of one datapoint
      >>> float(jackknife()(log_weights))  # 2 log 2 - (log 1 + log 3) / 2
      0.837
    Source: Nowozin (2018), section 3.
    """
    order = at_least("order", order, 0)
    if order == 0:
        return IWAE

    def subsets(num_samples: int) -> list[tuple[float, np.ndarray]]:
        if num_samples <= order:
            raise ValueError(
                f"log_weights: got {num_samples} samples, expected more than the order, {order}"
            )
        found = []
        for j in range(order + 1):
            left_out = list(itertools.combinations(range(num_samples), j))
            kept = np.ones((len(left_out), num_samples), bool)
            for row, samples in zip(kept, left_out, strict=True):
                row[list(samples)] = False
            size = num_samples - j
            scale = math.factorial(order - j) * math.factorial(j)
            found.append(((-1) ** j * size**order / scale, kept))
        return found

    def defined(log_weights: Float[Array, "samples"]) -> Array:
        return jnp.sum(log_weights > -jnp.inf) > order

    def value(log_weights: Float[Array, "samples"]) -> Scalar:
        # Less the mean weight: the coefficients are large, and differences are what they are of.
        whole, total = IWAE(log_weights), jnp.zeros((), log_weights.dtype)
        relative = jnp.where(defined(log_weights), log_weights - whole, 0.0)
        for coefficient, kept in subsets(len(log_weights)):
            bounds = log_mean_exp(jnp.where(kept, relative, -jnp.inf), axis=1)
            missing = math.log(len(log_weights) / kept[0].sum())
            total = total + coefficient * (jnp.mean(bounds) + missing)
        return jnp.where(defined(log_weights), whole + total, -jnp.inf)

    def path_weights(log_weights: Float[Array, "samples"]) -> Float[Array, "samples"]:
        total = jnp.zeros_like(log_weights)
        for coefficient, kept in subsets(len(log_weights)):
            slopes = jax.vmap(normalized)(jnp.where(kept, log_weights, -jnp.inf))
            total = total + coefficient * jnp.mean(slopes**2, axis=0)
        return jnp.where(defined(log_weights), total, 0.0)

    return Bound(f"jackknife({order})", value, path_weights)

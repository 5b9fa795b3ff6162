"""SUMO: log p(x) without bias, from a random number of samples."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.bounds.base import Bound
from jaxgen.numerics import log_mean_exp, normalized
from jaxgen.types import Key, Scalar
from jaxgen.values import known_by_call


def russian_roulette(count: int) -> float:
    """Returns P(K >= count): 1 / (count - 1), and nine tenths of the last from 80 on.

    About six samples in the mean.

    Example:
      >>> [russian_roulette(k) for k in (1, 2, 3)]
      [1.0, 1.0, 0.5]
    Source: Luo et al. (2020), section 3.2.
    """
    return 1 / min(max(count - 1, 1), 80) * 0.9 ** max(count - 81, 0)


def random_num_samples(
    key: Key, survival: Callable[[int], float] = russian_roulette, *, max_samples: int = 10_000
) -> int:
    """Draws the K of `sumo`, an integer: the shape of what is drawn next, so outside of `jax.jit`.

    Args:
      survival: k to P(K >= k), from 1 downwards.
      max_samples: where the series ends; its mean is then that of IWAE's bound of so many.
    Example:
      >>> 1 <= random_num_samples(jax.random.key(0)) <= 10_000
      True
    """
    u = 1 - float(jax.random.uniform(key))  # never zero
    for count in itertools.count(1):
        if count == max_samples or survival(count + 1) < u:
            return count
    raise AssertionError("unreachable")


@known_by_call
def sumo(survival: Callable[[int], float] = russian_roulette) -> Bound:
    """Returns sum_(k <= K) (L_k - L_(k-1)) / P(K >= k), L_k IWAE's bound of the first k, L_0 = 0.

    K is random: `random_num_samples` of the same `survival`. The k-th difference is there with
    probability P(K >= k) and is divided by it, so the mean over K and the samples is the limit of
    the series, log p(x), and the mean of the model's gradient is that of log p(x). q's gradient has
    mean zero: lower the square of this to fit q, or climb another bound.

    It is no bound. The differences' squares fall as 1/k²: the variance is infinite where P(K >= k)
    falls as fast as 1/k, as here. A mean over few data may be far off, and its standard error with
    it. -inf where the first weight is zero.

    Args:
      survival: k to P(K >= k), above zero; 1 as long as every sample is drawn.
    Raises:
      ValueError: when called, survival is not 1 at one, rises, or is zero at a k that is drawn.
    Example:
      >>> count = random_num_samples(jax.random.key(0))
      >>> q = distrax.Normal(0.0, 1.0)
      >>> z = q.sample(seed=jax.random.key(1), sample_shape=(count,))
      >>> estimate = sumo()(distrax.Normal(0.5, 1.0).log_prob(z) - q.log_prob(z))  # of log 1
    Source: Luo et al. (2020), equation 6.
    """

    def first(num_samples: int) -> tuple[np.ndarray, np.ndarray]:
        """The weight of each L_k, and which samples are in it."""
        probs = [survival(k) for k in range(1, num_samples + 1)]
        falls = all(a >= b for a, b in itertools.pairwise(probs))
        if probs[0] != 1 or not falls or not probs[-1] > 0:
            raise ValueError(
                f"survival: got {probs[:4]}, ..., {probs[-1]} at 1, ..., {num_samples}, expected "
                "probabilities that fall from 1 and stay above zero"
            )
        scales = 1 / np.array(probs)
        return np.append(scales[:-1] - scales[1:], scales[-1]), np.tri(num_samples, dtype=bool)

    def value(log_weights: Float[Array, "samples"]) -> Scalar:
        coefficients, kept = first(len(log_weights))
        defined = log_weights[0] > -jnp.inf
        # Less the last bound: the coefficients are large, and differences are what they are of.
        whole = log_mean_exp(log_weights, axis=0)
        relative = jnp.where(defined, log_weights - whole, 0.0)
        sizes = np.arange(1, len(log_weights) + 1)
        bounds = log_mean_exp(jnp.where(kept, relative, -jnp.inf), axis=1)
        total = jnp.sum(coefficients * (bounds + np.log(len(sizes) / sizes)))
        return jnp.where(defined, whole + total, -jnp.inf)

    def path_weights(log_weights: Float[Array, "samples"]) -> Float[Array, "samples"]:
        coefficients, kept = first(len(log_weights))
        slopes = jax.vmap(normalized)(jnp.where(kept, log_weights, -jnp.inf))
        total = jnp.sum(coefficients[:, None] * slopes**2, axis=0)
        return jnp.where(log_weights[0] > -jnp.inf, total, 0.0)

    return Bound("sumo", value, path_weights)

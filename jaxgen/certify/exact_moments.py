"""Exact moments of a gradient estimator on a small problem: its randomness summed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float

from jaxgen.array_checks import arrays
from jaxgen.certify.moments import Moments, summarize
from jaxgen.certify.running import widened
from jaxgen.checks import at_least
from jaxgen.estimators import all_states, log_prob
from jaxgen.numerics import highest_precision
from jaxgen.types import Distribution, Key, Params


@highest_precision
def exact_moments(
    gradient: Callable[[Any], Params], points: Any, weights: Float[Array, "points"]
) -> Moments:
    """Returns the moments of gradient(point) where point has the given weights; errors are zero.

    Args:
      gradient: `point -> gradient`, the estimator as a function of its randomness: the samples it
        draws (see `replay`), its Gaussian noise, its uniforms.
      points: every value of the randomness, or quadrature nodes, on a leading axis.
      weights: their probabilities, which sum to one.
    Raises:
      ValueError: there is not one weight for each point.
    Example:
      >>> estimator, key = score_function(2, baseline=leave_one_out()), jax.random.key(0)
      >>> def gradient(samples):
      ...     def loss(logit):
      ...         q = replay(distrax.Bernoulli(logit), samples)
      ...         return estimator.apply((), key, lambda b: (b - 0.45) ** 2, q)[0]
      ...
      ...     return jax.grad(loss)(0.3)
      >>> exact_moments(gradient, *sample_space(distrax.Bernoulli(0.3), num_samples=2)).variance
    """
    arrays("points", points)
    counts = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(points)}
    if counts != {jnp.shape(weights)}:
        raise ValueError(
            f"weights: got shape {jnp.shape(weights)}, expected one for each of the points, whose "
            f"leading axes are {counts}"
        )
    draws = widened(jax.vmap(gradient)(points))

    def expectation(x: Array) -> Array:
        return jnp.tensordot(weights, x, 1, precision=jax.lax.Precision.HIGHEST)

    mean = jax.tree.map(expectation, draws)
    variance = jax.tree.map(lambda x, m: expectation((x - m) ** 2), draws, mean)
    return summarize(mean, variance, jax.tree.map(jnp.zeros_like, variance), jnp.zeros(()))


def sample_space(
    q: Distribution, num_samples: int, max_states: int = 65536
) -> tuple[Array, Float[Array, "points"]]:
    """Returns every outcome of `num_samples` draws from a discrete q, and their probabilities.

    Raises:
      ValueError: num_samples is below one, q is neither Bernoulli nor categorical, or there are
        more than max_states outcomes.
    Example:
      >>> samples, weights = sample_space(distrax.Bernoulli(0.3), 2)  # shapes [4, 2] and [4]
    """
    num_samples = at_least("num_samples", num_samples, 1)
    states = all_states(q, max_states)
    if len(states) ** num_samples > max_states:
        raise ValueError(
            f"num_samples: got {num_samples} of {len(states)} states each, expected at most "
            f"{max_states} outcomes (max_states)"
        )
    drawn = np.indices((len(states),) * num_samples).reshape(num_samples, -1).T
    return states[drawn], jnp.prod(jnp.exp(log_prob(q, states))[drawn], axis=1)


def normal_quadrature(
    order: int, num_latents: int
) -> tuple[Float[Array, "points latents"], Float[Array, "points"]]:
    """Returns Gauss-Hermite nodes and weights for independent standard normals.

    Exact for polynomials of degree 2 order - 1 in each latent, with order^latents nodes.

    Example:
      >>> noise, weights = normal_quadrature(32, 2)
    """
    order, num_latents = at_least("order", order, 1), at_least("num_latents", num_latents, 1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    chosen = np.indices((order,) * num_latents).reshape(num_latents, -1).T
    return jnp.asarray(nodes[chosen]), jnp.asarray(
        np.prod(weights[chosen] / np.sqrt(2 * np.pi), axis=1)
    )


@struct.dataclass
class _Replay:
    q: Any
    samples: Any

    def sample(self, *, seed: Key, sample_shape: Any = ()) -> Array:
        """Draws nothing: returns the samples."""
        if self.samples.shape[: len(sample_shape)] != tuple(sample_shape):
            raise ValueError(
                f"samples: got shape {self.samples.shape}, expected the {sample_shape} samples "
                "that the estimator draws"
            )
        return self.samples

    def log_prob(self, value: Array) -> Array:
        return self.q.log_prob(value)


def replay(q: Distribution, samples: Array) -> Distribution:
    """Returns a q that draws the given samples, for estimators that only sample and score.

    Example:
      >>> q = replay(distrax.Bernoulli(0.3), jnp.array([0, 1]))
      >>> score_function(2).apply((), jax.random.key(0), lambda b: (b - 0.45) ** 2, q)
    """
    return _Replay(q=q, samples=samples)

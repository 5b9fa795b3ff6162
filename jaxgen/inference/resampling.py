"""Resampling schemes: which weighted particles go on, and how many times each."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.types import Key, Scalar
from jaxgen.values import Value, known_by_name


class Resampling(Value):
    """A way to draw as many ancestors as there are particles.

    Attributes:
      sample: `(key, log_weights) -> ancestors`, indices of particles such that particle i is
        expected num_particles W_i times, W being the weights divided by their sum. Weights need
        not be normalized; a particle of weight zero is never drawn. No gradient.
      log_prob: `(log_weights, ancestors) -> log probability` of that draw, in nats, from normalized
        log weights; None if it has no use as a score (see `systematic`).
    Example:
      >>> log_weights = jnp.log(jnp.array([0.5, 0.0, 0.5, 0.0]))
      >>> systematic.sample(jax.random.key(0), log_weights)
      Array([0, 0, 2, 2], dtype=int32)
    """

    sample: Callable[[Key, Float[Array, "particles"]], Int[Array, "particles"]]
    log_prob: Callable[[Float[Array, "particles"], Int[Array, "particles"]], Scalar] | None = None


def _multinomial(key: Key, log_weights: Float[Array, "particles"]) -> Int[Array, "particles"]:
    num_particles = len(log_weights)
    return _inverse_cdf(log_weights, num_particles * jax.random.uniform(key, (num_particles,)))


def _multinomial_log_prob(
    log_weights: Float[Array, "particles"], ancestors: Int[Array, "particles"]
) -> Scalar:
    return jnp.sum(log_weights[ancestors])


def _stratified(key: Key, log_weights: Float[Array, "particles"]) -> Int[Array, "particles"]:
    return _inverse_cdf(log_weights, _one_per_stratum(jax.random.uniform(key, log_weights.shape)))


def _systematic(key: Key, log_weights: Float[Array, "particles"]) -> Int[Array, "particles"]:
    shift = jnp.broadcast_to(jax.random.uniform(key), log_weights.shape)
    return _inverse_cdf(log_weights, _one_per_stratum(shift))


multinomial: Resampling = known_by_name(
    "multinomial", Resampling(_multinomial, _multinomial_log_prob)
)
"""Independent draws (Gordon et al. 1993): the noisiest, and the one whose score is tame."""

stratified: Resampling = known_by_name("stratified", Resampling(_stratified))
"""One independent draw from each of K equal strata of the cumulative weights (Kitagawa 1996)."""

systematic: Resampling = known_by_name("systematic", Resampling(_systematic))
"""One draw shared by all K strata: each particle floor(K W_i) or ceil(K W_i) times.

Its probability, like that of `stratified`, is piecewise linear in the weights and goes to zero, so
the variance of its score is infinite. Hence no `log_prob`. Source: Carpenter et al. (1999).
"""

RESAMPLING: dict[str, Resampling] = {
    "multinomial": multinomial,
    "stratified": stratified,
    "systematic": systematic,
}
"""By name; see Douc et al. (2005) for all three."""


def _one_per_stratum(shifts: Float[Array, "particles"]) -> Float[Array, "particles"]:
    """Point k in [k, k + 1), also where k + shift rounds up."""
    starts = jnp.arange(len(shifts), dtype=shifts.dtype)
    return jnp.minimum(starts + shifts, jnp.nextafter(starts + 1, starts))


def _inverse_cdf(
    log_weights: Float[Array, "particles"], points: Float[Array, "particles"]
) -> Int[Array, "particles"]:
    """The particle at each of `points`, which lie in [0, K), K being all the weight there is."""
    log_weights = jax.lax.stop_gradient(log_weights)
    # The largest is one: equal weights have exact sums.
    weights = jnp.exp(log_weights - jnp.max(log_weights))
    # A float32 sum over many may fall back where it should stand still, which would leave a gap for
    # a particle without weight: such a particle has no step of its own, and the sum never falls.
    cumulative = jax.lax.cummax(jnp.where(weights > 0, jnp.cumsum(weights), 0.0))
    total = cumulative[-1]
    points = points.astype(total.dtype) * (total / len(log_weights))
    # Strictly below the total, lest a last particle without weight be drawn.
    points = jnp.minimum(points, jnp.nextafter(total, jnp.zeros_like(total)))
    ancestors = jnp.searchsorted(cumulative, points, side="right")
    return jnp.minimum(ancestors, len(log_weights) - 1)  # weights that are NaN

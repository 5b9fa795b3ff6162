"""How far the gradients of several estimators stand out of their noise, by their samples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from jaxgen.array_checks import arrays, floats
from jaxgen.certify.moments import Moments, grad_moments
from jaxgen.certify.problem import Target
from jaxgen.estimators import Estimator, MakeEstimator
from jaxgen.numerics import highest_precision
from jaxgen.types import Key, Params, Scalar


class SignalToNoise(NamedTuple):
    """|E g| / sqrt(tr Cov g) of the gradient g, of each estimator in turn.

    Attributes:
      ratios: at each number of samples.
      slopes: of their logarithm against that of the number, by least squares.
    Example:
      >>> found = SignalToNoise(ratios=jnp.array([[1.0, 2.0, 4.0]]), slopes=jnp.array([1.0]))
      >>> found.ratios[0, -1]  # of the first estimator at the largest number of samples
      Array(4., dtype=float32)
    """

    ratios: Float[Array, "estimators counts"]
    slopes: Float[Array, "estimators"]


@highest_precision
def signal_to_noise(
    target: Target,
    estimators: Sequence[MakeEstimator],
    counts: Sequence[int],
    num_draws: int,
    params: Params,
    key: Key,
    xs: Float[Array, "n ..."],
) -> SignalToNoise:
    """Returns the signal-to-noise ratio of one datapoint's gradient; the median over datapoints.

    From |E g|² is taken what the noise of the sampled mean adds to it, so that a gradient of zero
    reads about zero, not 1 / sqrt(num_draws). Unbiased estimators of as many samples share their
    mean: that of the least noisy of them serves them all. The median is of the squared ratios.

    Args:
      target: `(params, x) -> (f, q)` of one datapoint.
      estimators: each `num_samples -> Estimator`; all of one objective, with nothing to learn.
      counts: values of num_samples, two or more.
      num_draws: gradients drawn of each datapoint, at least four.
      params: where the gradient is taken.
    Raises:
      ValueError: num_draws is below four; params are not in floating point; an estimator refuses a
        count, the f or the q.
    Example:
      >>> target = lambda mean, x: (lambda z: (z - x) ** 2, distrax.Normal(mean, 1.0))
      >>> both, xs = (pathwise, score_function), jnp.ones(3)
      >>> signal_to_noise(target, both, (1, 4), 200, 0.5, jax.random.key(0), xs).slopes  # about .5
    Source: Rainforth et al. (2018), section 3.
    """
    arrays("params", params)
    for leaf in jax.tree.leaves(params):
        floats("params", jnp.asarray(leaf))

    def squared_ratios(made: list[Estimator], key: Key, x: Array) -> Float[Array, "estimators"]:
        def moments_by(estimator: Estimator) -> Moments:
            def surrogate(params: Params, key: Key) -> Scalar:
                return estimator.apply((), key, *target(params, x), x)[0]

            # As one vector: one array compiles faster than many.
            gradient = lambda key: ravel_pytree(jax.grad(surrogate)(params, key))[0]  # noqa: E731
            return grad_moments(gradient, jax.random.clone(key), num_draws)

        moments = [moments_by(estimator) for estimator in made]
        noise = jnp.stack([of.trace for of in moments])
        signal = jnp.stack([of.mean @ of.mean for of in moments]) - noise / num_draws
        unbiased = jnp.array([estimator.unbiased for estimator in made])
        quietest = jnp.argmin(jnp.where(unbiased, noise, jnp.inf))
        return jnp.maximum(jnp.where(unbiased, signal[quietest], signal), 0) / noise

    columns = []
    for count, key_count in zip(counts, jax.random.split(key, len(counts)), strict=True):
        made = [make(count) for make in estimators]
        keys = jax.random.split(key_count, len(xs))
        squares = jax.vmap(partial(squared_ratios, made))(keys, xs)
        columns.append(jnp.sqrt(jnp.median(squares, axis=0)))
    ratios = jnp.stack(columns, axis=1)
    log_counts = jnp.log(jnp.asarray(counts, ratios.dtype))
    log_counts -= jnp.mean(log_counts)
    slopes = jnp.log(ratios) @ log_counts / (log_counts @ log_counts)
    return SignalToNoise(ratios, slopes)

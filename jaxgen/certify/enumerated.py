"""Exact moments of an estimator that only draws samples and scores them, on a discrete problem."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array

from jaxgen.certify.exact_moments import exact_moments, replay, sample_space
from jaxgen.certify.moments import Moments, summarize
from jaxgen.certify.problem import Problem, estimated_gradient
from jaxgen.estimators import Estimator
from jaxgen.types import Distribution, Key, Params


class _Asked:
    """How often samples were asked for while a gradient was traced."""

    times = 0


@struct.dataclass
class _Once:
    """A `replay` that counts how often it is asked: what draws twice draws anew."""

    q: Any
    asked: _Asked = struct.field(pytree_node=False)

    def sample(self, *, seed: Key, sample_shape: Any = ()) -> Array:
        self.asked.times += 1
        return self.q.sample(seed=seed, sample_shape=sample_shape)

    def log_prob(self, value: Array) -> Array:
        return self.q.log_prob(value)


def enumerated_moments(
    problem: Problem, estimator: Estimator, num_samples: int
) -> dict[str, Moments] | None:
    """Returns the exact moments of the gradient, part by part, or None where they are not had so.

    The gradient is summed over all outcomes of the samples, so q must be Bernoulli or categorical,
    of at most 65,536 outcomes, the batch one datapoint, and the estimator without a state. It may
    draw from q once, `num_samples` samples, and use no other noise.

    Args:
      problem: the gradient is taken at its params.
      num_samples: drawn in one gradient.
    Example:
      >>> rloo = score_function(2, baseline=leave_one_out())
      >>> enumerated_moments(toy(0.45), rloo, 2)["phi"].variance
    """
    batch = problem.batch(jax.random.key(0))
    _, q = problem.target(problem.params, batch[0])
    asked = _Asked()

    @jax.jit
    def gradients_with(key: Key, points: Array, weights: Array) -> tuple[Moments, Params]:
        def gradient(samples: Array) -> dict[str, Params]:
            def target(params: Params, x: Array) -> tuple[Any, Distribution]:
                f, q = problem.target(params, x)
                return f, _Once(q=replay(q, samples), asked=asked)

            one = estimated_gradient(problem._replace(target=target), estimator)
            return one(problem.params, (), key, batch)

        gradients = jax.vmap(gradient)(points)
        return exact_moments(lambda drawn: drawn, gradients, weights), gradients

    try:
        points, weights = sample_space(q, num_samples)
        state = estimator.init(jax.random.key(0), q, batch[0])
        if len(batch) > 1 or jax.tree.leaves(state):
            return None
        keys = jax.random.split(jax.random.key(0))
        (moments, one), (_, other) = (gradients_with(key, points, weights) for key in keys)
    except ValueError:  # q is not discrete, has too many states, or must be what it says it is
        return None
    same = jax.tree.map(lambda x, y: bool(jnp.array_equal(x, y, equal_nan=True)), one, other)
    if asked.times != 1 or not all(jax.tree.leaves(same)):  # it draws anew, or has other noise
        return None
    return {part: _of_part(moments, part) for part in moments.mean}


def _of_part(moments: Moments, part: str) -> Moments:
    return summarize(
        moments.mean[part], moments.variance[part], moments.variance_stderr[part], jnp.zeros(())
    )

"""A multi-sample bound as an expectation, of which any estimator of E_q[f] gives the gradient."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array

from jaxgen.bounds import IWAE, Bound
from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand, count_evaluations
from jaxgen.estimators.evaluation import evaluate
from jaxgen.estimators.held import without_score
from jaxgen.estimators.score_function import score_function
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call

_SCORE_FUNCTION = score_function()


@struct.dataclass
class Sets:
    """The distribution of `num_samples` independent draws from q, taken as one sample."""

    q: Any
    num_samples: int = struct.field(pytree_node=False)

    def sample(self, *, seed: Key, sample_shape: Any = ()) -> Array:
        """Draws an array of shape `sample_shape + (num_samples,) + event_shape`."""
        return self.q.sample(seed=seed, sample_shape=(*sample_shape, self.num_samples))

    def log_prob(self, value: Array) -> Array:
        """Log probability of each set, in nats."""
        return jnp.sum(self.q.log_prob(value), axis=-1)


@known_by_call
def over_sets(
    num_samples: int, *, estimator: Estimator = _SCORE_FUNCTION, bound: Bound = IWAE
) -> Estimator:
    """Turns an estimator of grad E_q[f] into one of grad E[L], L a bound of K independent draws.

    E[L] is the expectation of one function of one sample, the set z_1..z_K. So what holds for
    `estimator` holds here: with `score_function(4, baseline=leave_one_out())` it draws four sets
    and the baseline of each bound is the mean of the other three; a moving average or a learned
    baseline predicts L. For a baseline within one set see `vimco`.

    Args:
      num_samples: K, draws of z in a set.
      estimator: of q's that need no more than sampling and scoring; its samples are sets, and the
        values in its Estimate are bounds. By default the score function of one set.
      bound: how the f's of a set are joined.
    Raises:
      ValueError: num_samples is below one; the estimator is of a multi-sample bound itself.
    Example:
      >>> estimator = over_sets(8, estimator=score_function(4, baseline=leave_one_out()))
      >>> p, q = distrax.Bernoulli(1.0), distrax.Bernoulli(0.0)
      >>> f = lambda z, q=q: p.log_prob(z) - q.log_prob(z)  # a log weight
      >>> bound, _ = estimator.apply((), jax.random.key(0), f, q)
    """
    num_samples = at_least("num_samples", num_samples, 1)
    if not estimator.bound.linear:
        raise ValueError(
            f"estimator: got {estimator.name} of the bound {estimator.bound.name}, expected one of "
            "E_q[f], such as score_function(): the sets are joined by `bound`"
        )

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        log_weight = without_score(f, q, bound)

        def of_set(z: Array) -> Scalar:
            return bound(evaluate(log_weight, z))

        return estimator.apply(state, key, of_set, Sets(q=q, num_samples=num_samples), context)

    def init(key: Key, q: Distribution, context: Any = None) -> Any:
        return estimator.init(key, Sets(q=q, num_samples=num_samples), context)

    return dataclasses.replace(
        estimator,
        name=f"{estimator.name} over sets",
        apply=apply,
        evaluations=lambda q: (
            num_samples * count_evaluations(estimator, Sets(q=q, num_samples=num_samples))
        ),
        init=init,
        bound=bound,
    )

"""The contract of a control variate of the score function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float

from jaxgen.estimators.base import Estimate, State, no_state, unchanged
from jaxgen.types import Scalar
from jaxgen.values import Value


class Control(NamedTuple):
    """What a control variate says of one datapoint's samples.

    Attributes:
      values: h at each sample, or one number for all, in the unit of f: to be subtracted from f.
      mean: an expression with the gradient of E_q[h]; needed where h depends on its own sample.
      loss: what the learned parameters in the state are to lower, with no other gradient.
      statistics: what `update` needs besides the values of f.
    Example:
      >>> Control(values=jnp.array([0.5, 0.5])).mean  # no expectation to give back
      0.0
    """

    values: Float[Array, "*samples"]
    mean: Scalar | float = 0.0
    loss: Scalar | float = 0.0
    statistics: Any = ()


class Baseline(Value):
    """A control variate h of f for the score function: (f - h) grad log q + grad E_q[h].

    The gradient stays unbiased if h_s does not depend on z_s (a baseline proper: E_q[h grad log q]
    is zero), or else if `Control.mean` gives back what was subtracted.

    Attributes:
      apply: `(state, f, q, samples, values, context) -> Control`, where values are f at the
        samples (leading axis). Only reads the state.
      init: `(key, q, context=None) -> state`; by default there is none, `()`.
      update: `(state, estimates) -> state`, with the Estimates of a whole batch.
      min_samples: the fewest samples that it works with.
      evaluations: evaluations of f besides those at the samples.
    Example:
      >>> leave_one_out().min_samples
      2
      >>> half = Baseline(lambda state, f, q, samples, values, context: Control(values * 0 + 0.5))
      >>> estimator = score_function(2, baseline=half)
    """

    apply: Callable[..., Control]
    init: Callable[..., State] = no_state
    update: Callable[[State, Estimate], State] = unchanged
    min_samples: int = 1
    evaluations: int = 0

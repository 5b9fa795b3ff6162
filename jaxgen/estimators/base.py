"""The contract that every estimator of grad E_q[f(z)] meets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgen.types import Scalar

State = Any
Objective = Callable[[Array], Array]
"""One sample to one number (nats where it is a log ratio); it may depend on params itself."""


class Estimate(NamedTuple):
    """What an estimator saw of one datapoint; nothing in it carries a gradient.

    Attributes:
      values: f at each sample, in the unit of f.
      all_finite: whether every value and every density of q that was used is finite.
      statistics: what `update` folds into the next state; `()` for a stateless estimator.
    """

    values: Float[Array, "samples"]
    all_finite: Bool[Array, ""]
    statistics: Any = ()


class Estimator(NamedTuple):
    """A way to estimate grad E_q[f(z)], for one datapoint, with all its choices made.

    Attributes:
      name: the field's name for it.
      init: `(key, q, context) -> state`. `context` is what a learned control variate may look at
        besides the sample (a datapoint, say) or None. Stateless estimators return `()`.
      apply: `(state, key, f, q, context=None) -> (surrogate, estimate)`. Only reads the state. The
        surrogate's value is the Monte Carlo estimate of E_q[f] and its gradient, in whatever f and
        q depend on, is the estimate of the gradient. If the state holds learned parameters, the
        surrogate's gradient in the state is their training signal and is zero elsewhere.
      update: `(state, estimates) -> state`, with `estimates` of a whole batch (a leading axis):
        a baseline moves once a step and never sees the sample that it is subtracted from.
      unbiased: whether the gradient's expectation is the gradient of E_q[f].
      accepts: the distributions `q` may be, in words.
      evaluations: evaluations of f in one call of `apply`.
    """

    name: str
    init: Callable[..., State]
    apply: Callable[..., tuple[Scalar, Estimate]]
    update: Callable[[State, Estimate], State]
    unbiased: bool
    accepts: str
    evaluations: int


def evaluate(f: Objective, samples: Array) -> Float[Array, "samples"]:
    """Returns f at each of `samples` (leading axis), differentiable in both.

    Raises:
      ValueError: f does not return one number per sample.
    Example:
      evaluate(lambda z: jnp.sum(z**2), jnp.ones((8, 3)))  # shape [8]
    """
    values = jax.vmap(f)(samples)
    shape = getattr(values, "shape", None)
    if shape is None or len(shape) != 1:
        came = "no array" if shape is None else f"shape {shape[1:]}"
        raise ValueError(f"f: got {came} for one sample, expected one number (shape ())")
    return jnp.asarray(values)

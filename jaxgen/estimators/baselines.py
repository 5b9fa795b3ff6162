"""Control variates of the score function: the contract, and the baselines that are one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from jaxgen.estimators.base import Estimate, Objective, State
from jaxgen.types import Distribution, Scalar


class Control(NamedTuple):
    """What a control variate says of one datapoint's samples.

    Attributes:
      values: h at each sample, or one number for all, in the unit of f: to be subtracted from f.
      mean: an expression with the gradient of E_q[h]; needed where h depends on its own sample.
      loss: what the learned parameters in the state are to lower; zero elsewhere.
      statistics: what `update` needs besides the values of f.
    """

    values: Float[Array, "*samples"]
    mean: Scalar | float = 0.0
    loss: Scalar | float = 0.0
    statistics: Any = ()


class Baseline(NamedTuple):
    """A control variate h of f for the score function: (f - h) grad log q + grad E_q[h].

    The gradient stays unbiased if h_s does not depend on z_s (a baseline proper: E_q[h grad log q]
    is zero), or else if `Control.mean` gives back what was subtracted.

    Attributes:
      init: `(key, q, context) -> state`, `()` for a stateless baseline.
      apply: `(state, f, q, samples, values, context) -> Control`, where values are f at the
        samples (leading axis). Only reads the state.
      update: `(state, estimates) -> state`, with the Estimates of a whole batch.
      min_samples: the fewest samples that it works with.
      evaluations: evaluations of f besides those at the samples.
    """

    init: Callable[..., State]
    apply: Callable[..., Control]
    update: Callable[[State, Estimate], State]
    min_samples: int = 1
    evaluations: int = 0


def stateless(
    apply: Callable[..., Control], min_samples: int = 1, evaluations: int = 0
) -> Baseline:
    """Returns the baseline of a `(f, q, samples, values, context) -> Control` without state."""
    return Baseline(
        init=lambda key, q, context=None: (),
        apply=lambda state, *arguments: apply(*arguments),
        update=lambda state, estimates: state,
        min_samples=min_samples,
        evaluations=evaluations,
    )


def constant(value: float) -> Baseline:
    """Returns the baseline `value`, in the unit of f.

    Example:
      score_function(8, baseline=constant(-90.0))
    Source: Williams (1992).
    """

    def apply(
        f: Objective, q: Distribution, samples: Array, values: Array, context: Any
    ) -> Control:
        return Control(jnp.asarray(value, values.dtype))

    return stateless(apply)


def none() -> Baseline:
    """Returns the baseline zero, which leaves the plain score function."""
    return constant(0.0)


@struct.dataclass
class Decaying:
    """A decaying sum of numbers and of their weights.

    Two scalars; as any pytree it may hold their shapes or shardings too, hence no narrower types.
    """

    total: Any
    weight: Any

    @classmethod
    def empty(cls) -> Decaying:
        """Returns the state that has seen nothing."""
        return cls(total=jnp.zeros(()), weight=jnp.zeros(()))

    def add(self, decay: float, total: Scalar, weight: Scalar) -> Decaying:
        """Returns the state after a batch."""
        return Decaying(
            total=decay * self.total + (1 - decay) * total,
            weight=decay * self.weight + (1 - decay) * weight,
        )

    def mean(self) -> Scalar:
        """Returns total / weight, and zero where nothing has any weight."""
        empty = self.weight == 0
        return jnp.where(empty, 0.0, self.total / jnp.where(empty, 1.0, self.weight))


def moving_average(decay: float = 0.99) -> Baseline:
    """Returns the baseline that is the decaying average of f over past batches.

    Corrected for its start as Adam's moments are: the first step subtracts zero, the second the
    whole mean of the first. Values that are not finite are left out.

    Args:
      decay: weight kept per update, in [0, 1).
    Raises:
      ValueError: decay is outside [0, 1).
    Example:
      score_function(8, baseline=moving_average(0.9))
    Source: Mnih & Gregor (2014).
    """
    check_decay(decay)

    def apply(
        state: Decaying, f: Objective, q: Distribution, samples: Array, values: Array, context: Any
    ) -> Control:
        return Control(state.mean().astype(values.dtype))

    def update(state: Decaying, estimates: Estimate) -> Decaying:
        known = jnp.isfinite(estimates.values)
        total = jnp.mean(jnp.where(known, estimates.values, 0.0))
        return state.add(decay, total, jnp.mean(known, dtype=total.dtype))

    return Baseline(lambda key, q, context=None: Decaying.empty(), apply, update)


def check_decay(decay: float) -> None:
    """Refuses a decay outside [0, 1)."""
    if not 0 <= decay < 1:
        raise ValueError(f"decay: got {decay}, expected a number in [0, 1)")

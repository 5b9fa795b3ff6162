"""Baselines of the score function that are plain numbers: constants, averages, other samples."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from jaxgen.estimators.base import Estimate, Integrand
from jaxgen.estimators.control_variates.base import Baseline, Control
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
def constant(value: float) -> Baseline:
    """Returns the baseline `value`, in the unit of f.

    Example:
      >>> score_function(8, baseline=constant(-90.0))
    Source: Williams (1992).
    """

    def apply(
        state: Any, f: Integrand, q: Distribution, samples: Array, values: Array, context: Any
    ) -> Control:
        return Control(jnp.asarray(value, values.dtype))

    return Baseline(apply)


@known_by_call
def none() -> Baseline:
    """Returns the baseline zero, which leaves the plain score function.

    Example:
      >>> score_function(8, baseline=none()) == score_function(8)
    """
    return constant(0.0)


@known_by_call
def leave_one_out() -> Baseline:
    """Returns the baseline h_s = 1/(S-1) sum_{r != s} f(z_r), for S >= 2 samples.

    Free of state and of extra evaluations, and independent of z_s, so unbiased.

    Example:
      >>> score_function(4, baseline=leave_one_out())  # the RLOO estimator
    Source: Salimans & Knowles (2014); Kool et al. (2019a).
    """

    def apply(
        state: Any, f: Integrand, q: Distribution, samples: Array, values: Array, context: Any
    ) -> Control:
        return Control(of_others(values))

    return Baseline(apply, min_samples=2)


def of_others(x: Float[Array, "samples *shape"]) -> Float[Array, "samples *shape"]:
    """Returns, for each sample, the mean of the others.

    Example:
      >>> of_others(jnp.array([0.0, 1.0, 5.0]))
      Array([3. , 2.5, 0.5], dtype=float32)
    """
    return (jnp.sum(x, axis=0) - x) / (len(x) - 1)


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

    def add_known(self, decay: float, totals: Array, weights: Array) -> Decaying:
        """Returns the state after the means of a batch, without what is not finite."""
        known = jnp.isfinite(totals) & jnp.isfinite(weights)
        return self.add(
            decay,
            jnp.mean(jnp.where(known, totals, 0.0)),
            jnp.mean(jnp.where(known, weights, 0.0)),
        )

    def mean(self) -> Scalar:
        """Returns total / weight, and zero where nothing has any weight."""
        empty = self.weight == 0
        return jnp.where(empty, 0.0, self.total / jnp.where(empty, 1.0, self.weight))


@known_by_call
def moving_average(decay: float = 0.99) -> Baseline:
    """Returns the baseline that is the decaying average of f over past batches.

    Corrected for its start as Adam's moments are: the first step subtracts zero, the second the
    whole mean of the first. Values that are not finite are left out.

    Args:
      decay: weight kept per update, in [0, 1).
    Raises:
      ValueError: decay is outside [0, 1).
    Example:
      >>> score_function(8, baseline=moving_average(0.9))
    Source: Mnih & Gregor (2014).
    """
    check_decay(decay)

    def apply(
        state: Decaying, f: Integrand, q: Distribution, samples: Array, values: Array, context: Any
    ) -> Control:
        return Control(state.mean().astype(values.dtype))

    def update(state: Decaying, estimates: Estimate) -> Decaying:
        known = jnp.isfinite(estimates.values)
        total = jnp.mean(jnp.where(known, estimates.values, 0.0))
        return state.add(decay, total, jnp.mean(known, dtype=total.dtype))

    def init(key: Key, q: Distribution, context: Any = None) -> Decaying:
        return Decaying.empty()

    return Baseline(apply, init, update)


def check_decay(decay: float) -> None:
    """Refuses a decay outside [0, 1)."""
    if not 0 <= decay < 1:
        raise ValueError(f"decay: got {decay}, expected a number in [0, 1)")

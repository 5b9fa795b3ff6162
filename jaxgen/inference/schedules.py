"""Resampling schedules: when the weights are uneven enough to resample."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgen.numerics import effective_sample_size
from jaxgen.values import known_by_call

Schedule: TypeAlias = Callable[[Float[Array, "particles"]], Bool[Array, ""]]
"""The log weights to whether to resample now."""


def never(log_weights: Float[Array, "particles"]) -> Bool[Array, ""]:
    """Never resample: importance sampling of whole sequences.

    Example:
      >>> never(jnp.log(jnp.array([1.0, 0.0])))
      Array(False, dtype=bool)
    """
    return jnp.array(False)


def always(log_weights: Float[Array, "particles"]) -> Bool[Array, ""]:
    """Resample at every step.

    Example:
      >>> always(jnp.log(jnp.array([0.5, 0.5])))
      Array(True, dtype=bool)
    """
    return jnp.array(True)


@known_by_call
def ess_below(fraction: float) -> Schedule:
    """Returns the schedule that resamples when the ESS is below `fraction` of the particles.

    The estimate of the likelihood stays unbiased. The gradient of its log jumps where the ESS
    crosses the threshold, which no gradient estimator here accounts for.

    Raises:
      ValueError: fraction is outside (0, 1].
    Example:
      >>> when = ess_below(0.5)
      >>> when(jnp.log(jnp.array([0.97, 0.01, 0.01, 0.01])))  # about one particle of four counts
      Array(True, dtype=bool)
    Source: Liu & Chen (1995); unbiasedness: Del Moral et al. (2012).
    """
    if not 0.0 < fraction <= 1.0:
        raise ValueError(f"fraction: got {fraction}, expected a number in (0, 1]")

    def when(log_weights: Float[Array, "particles"]) -> Bool[Array, ""]:
        ess = effective_sample_size(jax.lax.stop_gradient(log_weights))
        return ess < fraction * len(log_weights)

    return when

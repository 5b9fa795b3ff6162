"""Whether a set of importance weights can be trusted."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgen.array_checks import axis_of_samples
from jaxgen.metrics.pareto import pareto_k
from jaxgen.numerics import at_least_float32, effective_sample_size
from jaxgen.types import Scalar


class ImportanceDiagnostics(NamedTuple):
    """How the weights of one datapoint's samples are spread.

    Attributes:
      ess: effective sample size, (sum w)² / sum w², from 1 to K; 0 if all weights are zero.
      pareto_k: shape of the weights' tail; above 0.7 the bound is not to be trusted.
      log_weight_variance: of the log weights that are finite, in nats²; 0 if fewer than two are.
      zeros: how many weights are zero (log weight -inf).
      all_finite: whether every log weight is finite.
    Example:
      >>> found = importance_diagnostics(jnp.array([0.0, 0.0, -jnp.inf]))
      >>> float(found.ess), int(found.zeros), bool(found.all_finite)
      (2.0, 1, False)
    """

    ess: Scalar
    pareto_k: Scalar
    log_weight_variance: Scalar
    zeros: Array
    all_finite: Bool[Array, ""]


def importance_diagnostics(log_weights: Float[Array, "..."]) -> ImportanceDiagnostics:
    """Returns the diagnostics of one datapoint's log weights.

    Args:
      log_weights: [samples], log p(x, z_k) - log q(z_k), as `log_importance_weights` returns them,
        or the `values` of a multi-sample estimator's Estimate.
    Raises:
      ValueError: log_weights has not one axis, or no entry.
    Example:
      >>> log_weights = jnp.log(jnp.array([1.0, 1.0, 1.0]))
      >>> float(importance_diagnostics(log_weights).ess)
      3.0
    Source: Kong (1992) for the effective sample size; see `pareto_k`.
    """
    axis_of_samples("log_weights", log_weights)
    log_weights = at_least_float32("log_weights", log_weights)
    known = jnp.isfinite(log_weights)
    count = jnp.sum(known)
    numbers = jnp.where(known, log_weights, 0.0)
    deviations = jnp.where(known, numbers - jnp.sum(numbers) / jnp.maximum(count, 1), 0.0)
    return ImportanceDiagnostics(
        ess=effective_sample_size(log_weights),
        pareto_k=pareto_k(log_weights),
        log_weight_variance=jnp.sum(deviations**2) / jnp.maximum(count - 1, 1),
        zeros=jnp.sum(log_weights == -jnp.inf),
        all_finite=jnp.all(known),
    )

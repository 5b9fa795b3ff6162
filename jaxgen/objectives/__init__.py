"""Per-datapoint quantities to climb or lower, in nats, with their terms apart."""

from jaxgen.objectives.elbo import ElboTerms, analytic_kl, elbo, monte_carlo_kl
from jaxgen.objectives.filtering import (
    FILTERING_OBJECTIVES,
    FilteringObjective,
    filtering_bound,
    ignore_resampling,
    importance_step,
    score_resampling,
)
from jaxgen.objectives.iwae import importance_weighted_bound, log_importance_weights

__all__ = [
    "FILTERING_OBJECTIVES",
    "ElboTerms",
    "FilteringObjective",
    "analytic_kl",
    "elbo",
    "filtering_bound",
    "ignore_resampling",
    "importance_step",
    "importance_weighted_bound",
    "log_importance_weights",
    "monte_carlo_kl",
    "score_resampling",
]

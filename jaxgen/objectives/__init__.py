"""Per-datapoint quantities to climb or lower, in nats, with their terms apart."""

from jaxgen.estimators import ELBO, IWAE, Bound
from jaxgen.objectives.denoising import Corruption, denoising_elbo
from jaxgen.objectives.elbo import ElboTerms, analytic_kl, elbo, monte_carlo_kl
from jaxgen.objectives.entropy_elbo import EntropyTerms, entropy_elbo
from jaxgen.objectives.filtering import (
    FILTERING_OBJECTIVES,
    FilteringObjective,
    filtering_bound,
    ignore_resampling,
    importance_step,
    score_resampling,
)
from jaxgen.objectives.free_bits import free_bits
from jaxgen.objectives.gradients import GRADIENTS, Gradient, score_of_sets
from jaxgen.objectives.info_vae import aggregate_mmd, info_elbo
from jaxgen.objectives.iwae import importance_weighted_bound, log_importance_weights
from jaxgen.objectives.naive_monte_carlo import log_prior_weights
from jaxgen.objectives.renyi import BOUNDS, VR_MAX, chi_upper_bound, renyi

__all__ = [
    "BOUNDS",
    "ELBO",
    "FILTERING_OBJECTIVES",
    "GRADIENTS",
    "IWAE",
    "VR_MAX",
    "Bound",
    "Corruption",
    "ElboTerms",
    "EntropyTerms",
    "FilteringObjective",
    "Gradient",
    "aggregate_mmd",
    "analytic_kl",
    "chi_upper_bound",
    "denoising_elbo",
    "elbo",
    "entropy_elbo",
    "filtering_bound",
    "free_bits",
    "ignore_resampling",
    "importance_step",
    "importance_weighted_bound",
    "info_elbo",
    "log_importance_weights",
    "log_prior_weights",
    "monte_carlo_kl",
    "renyi",
    "score_of_sets",
    "score_resampling",
]

"""Per-datapoint quantities to climb or lower, in nats, with their terms apart."""

from jaxgen.objectives.denoising import Corruption, denoising_elbo
from jaxgen.objectives.elbo import KL, ElboTerms, analytic_kl, elbo, monte_carlo_kl
from jaxgen.objectives.entropy_elbo import EntropyTerms, entropy_elbo
from jaxgen.objectives.feature_matching import feature_matching, instance_noise
from jaxgen.objectives.filtering import (
    FILTERING_OBJECTIVES,
    FilteringObjective,
    filtering_bound,
    ignore_resampling,
    importance_step,
    score_resampling,
)
from jaxgen.objectives.free_bits import free_bits
from jaxgen.objectives.gan import (
    GAN_LOSSES,
    GanLoss,
    activated_f_gan,
    f_gan,
    gan_loss,
    hinge,
    least_squares,
    minimax,
    non_saturating,
    relativistic,
    wasserstein,
    zero_sum,
)
from jaxgen.objectives.gradients import GRADIENTS, BoundEstimator
from jaxgen.objectives.info_vae import aggregate_mmd, info_elbo
from jaxgen.objectives.iwae import importance_weighted_bound, log_importance_weights
from jaxgen.objectives.naive_monte_carlo import log_prior_weights
from jaxgen.objectives.penalties import (
    PENALTIES,
    Penalty,
    dragan_penalty,
    gradient_penalty,
    r1_penalty,
    r2_penalty,
)

__all__ = [
    "FILTERING_OBJECTIVES",
    "GAN_LOSSES",
    "GRADIENTS",
    "KL",
    "PENALTIES",
    "BoundEstimator",
    "Corruption",
    "ElboTerms",
    "EntropyTerms",
    "FilteringObjective",
    "GanLoss",
    "Penalty",
    "activated_f_gan",
    "aggregate_mmd",
    "analytic_kl",
    "denoising_elbo",
    "dragan_penalty",
    "elbo",
    "entropy_elbo",
    "f_gan",
    "feature_matching",
    "filtering_bound",
    "free_bits",
    "gan_loss",
    "gradient_penalty",
    "hinge",
    "ignore_resampling",
    "importance_step",
    "importance_weighted_bound",
    "info_elbo",
    "instance_noise",
    "least_squares",
    "log_importance_weights",
    "log_prior_weights",
    "minimax",
    "monte_carlo_kl",
    "non_saturating",
    "r1_penalty",
    "r2_penalty",
    "relativistic",
    "score_resampling",
    "wasserstein",
    "zero_sum",
]

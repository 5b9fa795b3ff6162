"""Per-datapoint quantities to climb or lower, in nats, with their terms apart.

| question | answer |
|---|---|
| the bound of a VAE, its terms apart | `elbo` |
| the bound of many samples | `importance_weighted_bound`; the weights, `log_importance_weights` |
| any bound by a gradient of my choice | `GRADIENTS` |
| latents that the decoder ignores | `free_bits`, `info_elbo` |
| sequences | `filtering_bound`, by one of `FILTERING_OBJECTIVES` |
| a GAN | `game_losses`, with a loss of `GAN_LOSSES` |
| the loss to begin with | `non_saturating`, with `r1_penalty` |
| a distance that falls as samples improve | `wasserstein`, with `gradient_penalty` |
| any f-divergence | `f_gan` |
| an encoder beside the generator | `swapped`, `latent_regression` |
| two domains without pairs | `cycle_losses` |
| a GAN of few data | `augmented`, with `jaxgen.data.random_translation` |
"""

from jaxgen.boundary import doors
from jaxgen.objectives.augmented import Augmented, augmented
from jaxgen.objectives.cycle import CycleModel, cycle_losses
from jaxgen.objectives.denoising import Corruption, denoising_elbo
from jaxgen.objectives.elbo import KL, ElboTerms, analytic_kl, elbo, monte_carlo_kl
from jaxgen.objectives.entropy_elbo import EntropyTerms, entropy_elbo
from jaxgen.objectives.feature_matching import feature_matching, instance_noise
from jaxgen.objectives.filtering import (
    FILTERING_OBJECTIVES,
    FilteringObjective,
    filtering_bound,
    ignore_resampling,
    score_resampling,
)
from jaxgen.objectives.filtering_bounds import filtering_bounds
from jaxgen.objectives.free_bits import free_bits
from jaxgen.objectives.game import GameModel, game_losses
from jaxgen.objectives.gan import (
    GAN_LOSSES,
    activated_f_gan,
    f_gan,
    hinge,
    least_squares,
    minimax,
    non_saturating,
    relativistic,
    relativistic_average,
    wasserstein,
)
from jaxgen.objectives.gan_loss import GanLoss, gan_loss, swapped, zero_sum
from jaxgen.objectives.gradients import GRADIENTS, BoundEstimator
from jaxgen.objectives.info_vae import aggregate_mmd, info_elbo
from jaxgen.objectives.iwae import importance_weighted_bound, log_importance_weights
from jaxgen.objectives.latent_regression import Invertible, latent_regression
from jaxgen.objectives.lazy import lazy
from jaxgen.objectives.naive_monte_carlo import log_prior_weights
from jaxgen.objectives.one_sample import OneCritic, one_sample_critic
from jaxgen.objectives.penalties import (
    PENALTIES,
    Penalty,
    dragan_penalty,
    gradient_penalty,
    output_penalty,
    r1_penalty,
    r2_penalty,
)

__all__ = [
    "FILTERING_OBJECTIVES",
    "GAN_LOSSES",
    "GRADIENTS",
    "KL",
    "PENALTIES",
    "Augmented",
    "BoundEstimator",
    "Corruption",
    "CycleModel",
    "ElboTerms",
    "EntropyTerms",
    "FilteringObjective",
    "GameModel",
    "GanLoss",
    "Invertible",
    "OneCritic",
    "Penalty",
    "activated_f_gan",
    "aggregate_mmd",
    "analytic_kl",
    "augmented",
    "cycle_losses",
    "denoising_elbo",
    "dragan_penalty",
    "elbo",
    "entropy_elbo",
    "f_gan",
    "feature_matching",
    "filtering_bound",
    "filtering_bounds",
    "free_bits",
    "game_losses",
    "gan_loss",
    "gradient_penalty",
    "hinge",
    "ignore_resampling",
    "importance_weighted_bound",
    "info_elbo",
    "instance_noise",
    "latent_regression",
    "lazy",
    "least_squares",
    "log_importance_weights",
    "log_prior_weights",
    "minimax",
    "monte_carlo_kl",
    "non_saturating",
    "one_sample_critic",
    "output_penalty",
    "r1_penalty",
    "r2_penalty",
    "relativistic",
    "relativistic_average",
    "score_resampling",
    "swapped",
    "wasserstein",
    "zero_sum",
]

doors(__name__)

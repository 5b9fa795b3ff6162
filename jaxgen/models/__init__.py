r"""Models: bundles of pure functions over explicit params; they know no objective.

`Density` is everything with a likelihood; `observe` is what a bound asks of one datapoint under a
latent-variable model.

| question | answer |
|---|---|
| a VAE | `gaussian_vae`; of any three parts, `vae` |
| its parts | `standard_normal`, `gaussian_posterior`, `flow_posterior`, `decoder` |
| discrete latents; two layers of them | `belief_network`; `hierarchical_vae` |
| p(x\|z) of pixels | `LIKELIHOODS`, `categorical`, `logistic_mixture` |
| an exact likelihood of images | `autoregressive`, `dequantized` |
| a flow | `coupling_flow`, `autoregressive_flow`; of my own layers, `flow` |
| a density that EM fits | `mixture_density`, `factor_density` |
| one that is told y: p(x\|y) | `conditioned`, `conditional_gan` |
| sequences | `linear_gaussian`, `variational_rnn`; exact, `kalman_filter` |
| a GAN; with an encoder; between two domains | `gan`; `bigan`; `cyclegan` |
| what fools a likelihood, or a test of samples | `mixed`, `memorizer`, `parzen_window` |
"""

from jaxgen.boundary import doors
from jaxgen.models.autoregressive import autoregressive
from jaxgen.models.belief_network import belief_network
from jaxgen.models.bigan import BiGan, bigan
from jaxgen.models.centroids import kmeans
from jaxgen.models.conditional_gan import ConditionalGan, ConditionalGanBatch, conditional_gan
from jaxgen.models.cyclegan import CycleGan, cyclegan
from jaxgen.models.decoder import decoder
from jaxgen.models.density import Density, conditioned
from jaxgen.models.dequantized import dequantized, uniform_noise, variational_noise
from jaxgen.models.empirical import memorizer, parzen_window
from jaxgen.models.factor_analysis import (
    FactorModel,
    FactorPosterior,
    factor_elbo,
    factor_posterior,
)
from jaxgen.models.factor_density import factor_density
from jaxgen.models.factor_em import factor_steps, independent, isotropic
from jaxgen.models.few_pixels import sample_by_pixels, subsampled_log_prob
from jaxgen.models.flow_layers import (
    FlowLayer,
    autoregressive_layer,
    autoregressive_layers,
    coupling_layer,
    coupling_layers,
    fixed,
)
from jaxgen.models.flows import autoregressive_flow, coupling_flow, flow
from jaxgen.models.gan import Gan, GanBatch, gan
from jaxgen.models.gaussian_components import (
    DiagonalGaussian,
    FullGaussian,
    diagonal_gaussian,
    full_gaussian,
)
from jaxgen.models.gaussian_net import gaussian_net
from jaxgen.models.hierarchical import hierarchical_vae
from jaxgen.models.kalman import KalmanResult, kalman_filter, linear_gaussian_sequence
from jaxgen.models.latent_variable import LatentVariableModel, Observed, observe
from jaxgen.models.likelihoods import (
    LIKELIHOODS,
    Likelihood,
    categorical,
    discretized_logistic,
    logistic_mixture,
)
from jaxgen.models.mixed import mixed, uniform_levels
from jaxgen.models.mixture import (
    ComponentFamily,
    Mixture,
    fit_mixture,
    mixture_elbo,
    mixture_log_joint,
    mixture_steps,
    random_mixture,
)
from jaxgen.models.mixture_density import mixture_density
from jaxgen.models.players import join_variables, variables_of
from jaxgen.models.posteriors import (
    flow_posterior,
    gaussian_posterior,
    inverse_autoregressive_posterior,
)
from jaxgen.models.priors import gaussian_mixture, standard_normal, uniform
from jaxgen.models.reshaped import reshaped
from jaxgen.models.sequential import (
    Sequences,
    SequentialModel,
    importance_step,
    sample_sequence,
    sample_sequences,
    unobserved_step,
)
from jaxgen.models.state_space import linear_gaussian, stochastic_volatility
from jaxgen.models.tempered import tempered
from jaxgen.models.uniform_mixture import uniform_mixture
from jaxgen.models.vae import gaussian_vae, vae
from jaxgen.models.variational_rnn import variational_rnn

__all__ = [
    "LIKELIHOODS",
    "BiGan",
    "ComponentFamily",
    "ConditionalGan",
    "ConditionalGanBatch",
    "CycleGan",
    "Density",
    "DiagonalGaussian",
    "FactorModel",
    "FactorPosterior",
    "FlowLayer",
    "FullGaussian",
    "Gan",
    "GanBatch",
    "KalmanResult",
    "LatentVariableModel",
    "Likelihood",
    "Mixture",
    "Observed",
    "Sequences",
    "SequentialModel",
    "autoregressive",
    "autoregressive_flow",
    "autoregressive_layer",
    "autoregressive_layers",
    "belief_network",
    "bigan",
    "categorical",
    "conditional_gan",
    "conditioned",
    "coupling_flow",
    "coupling_layer",
    "coupling_layers",
    "cyclegan",
    "decoder",
    "dequantized",
    "diagonal_gaussian",
    "discretized_logistic",
    "factor_density",
    "factor_elbo",
    "factor_posterior",
    "factor_steps",
    "fit_mixture",
    "fixed",
    "flow",
    "flow_posterior",
    "full_gaussian",
    "gan",
    "gaussian_mixture",
    "gaussian_net",
    "gaussian_posterior",
    "gaussian_vae",
    "hierarchical_vae",
    "importance_step",
    "independent",
    "inverse_autoregressive_posterior",
    "isotropic",
    "join_variables",
    "kalman_filter",
    "kmeans",
    "linear_gaussian",
    "linear_gaussian_sequence",
    "logistic_mixture",
    "memorizer",
    "mixed",
    "mixture_density",
    "mixture_elbo",
    "mixture_log_joint",
    "mixture_steps",
    "observe",
    "parzen_window",
    "random_mixture",
    "reshaped",
    "sample_by_pixels",
    "sample_sequence",
    "sample_sequences",
    "standard_normal",
    "stochastic_volatility",
    "subsampled_log_prob",
    "tempered",
    "uniform",
    "uniform_levels",
    "uniform_mixture",
    "uniform_noise",
    "unobserved_step",
    "vae",
    "variables_of",
    "variational_noise",
    "variational_rnn",
]

doors(__name__)

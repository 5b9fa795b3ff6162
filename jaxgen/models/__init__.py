"""Models: bundles of pure functions over explicit params; they know no objective."""

from jaxgen.models.belief_network import belief_network
from jaxgen.models.factor_analysis import (
    FactorModel,
    FactorPosterior,
    factor_elbo,
    factor_posterior,
    factor_steps,
    independent,
    isotropic,
)
from jaxgen.models.gan import Gan, GanBatch, gan
from jaxgen.models.gaussian_components import (
    DiagonalGaussian,
    FullGaussian,
    diagonal_gaussian,
    full_gaussian,
)
from jaxgen.models.hierarchical import hierarchical_vae
from jaxgen.models.kalman import KalmanResult, kalman_filter
from jaxgen.models.latent_variable import LatentVariableModel, joint_and_posterior
from jaxgen.models.likelihoods import LIKELIHOODS, Likelihood
from jaxgen.models.mixture import (
    ComponentFamily,
    Mixture,
    fit_mixture,
    mixture_elbo,
    mixture_log_joint,
    mixture_steps,
)
from jaxgen.models.posteriors import Posterior, flow_posterior, gaussian_posterior
from jaxgen.models.priors import Prior, gaussian_mixture, standard_normal
from jaxgen.models.sequential import SequentialModel, sample_sequence
from jaxgen.models.state_space import linear_gaussian, stochastic_volatility
from jaxgen.models.vae import gaussian_vae, vae
from jaxgen.models.variational_rnn import variational_rnn

__all__ = [
    "LIKELIHOODS",
    "ComponentFamily",
    "DiagonalGaussian",
    "FactorModel",
    "FactorPosterior",
    "FullGaussian",
    "Gan",
    "GanBatch",
    "KalmanResult",
    "LatentVariableModel",
    "Likelihood",
    "Mixture",
    "Posterior",
    "Prior",
    "SequentialModel",
    "belief_network",
    "diagonal_gaussian",
    "factor_elbo",
    "factor_posterior",
    "factor_steps",
    "fit_mixture",
    "flow_posterior",
    "full_gaussian",
    "gan",
    "gaussian_mixture",
    "gaussian_posterior",
    "gaussian_vae",
    "hierarchical_vae",
    "independent",
    "isotropic",
    "joint_and_posterior",
    "kalman_filter",
    "linear_gaussian",
    "mixture_elbo",
    "mixture_log_joint",
    "mixture_steps",
    "sample_sequence",
    "standard_normal",
    "stochastic_volatility",
    "vae",
    "variational_rnn",
]

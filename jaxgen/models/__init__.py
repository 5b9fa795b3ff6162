"""Models: bundles of pure functions over explicit params; they know no objective."""

from jaxgen.models.belief_network import belief_network
from jaxgen.models.gan import Gan, gan
from jaxgen.models.hierarchical import hierarchical_vae
from jaxgen.models.latent_variable import LatentVariableModel, joint_and_posterior
from jaxgen.models.likelihoods import LIKELIHOODS, Likelihood
from jaxgen.models.posteriors import Posterior, flow_posterior, gaussian_posterior
from jaxgen.models.priors import Prior, gaussian_mixture, standard_normal
from jaxgen.models.sequential import SequentialModel, sample_sequence
from jaxgen.models.state_space import linear_gaussian, stochastic_volatility
from jaxgen.models.vae import gaussian_vae, vae
from jaxgen.models.variational_rnn import variational_rnn

__all__ = [
    "LIKELIHOODS",
    "Gan",
    "LatentVariableModel",
    "Likelihood",
    "Posterior",
    "Prior",
    "SequentialModel",
    "belief_network",
    "flow_posterior",
    "gan",
    "gaussian_mixture",
    "gaussian_posterior",
    "gaussian_vae",
    "hierarchical_vae",
    "joint_and_posterior",
    "linear_gaussian",
    "sample_sequence",
    "standard_normal",
    "stochastic_volatility",
    "vae",
    "variational_rnn",
]

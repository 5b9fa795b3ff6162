"""Models: bundles of pure functions over explicit params; they know no objective."""

from jaxgen.models.belief_network import belief_network
from jaxgen.models.latent_variable import LatentVariableModel
from jaxgen.models.likelihoods import LIKELIHOODS, Likelihood
from jaxgen.models.vae import gaussian_vae

__all__ = ["LIKELIHOODS", "LatentVariableModel", "Likelihood", "belief_network", "gaussian_vae"]

"""Models: bundles of pure functions over explicit params; they know no objective."""

from jaxgen.models.likelihoods import LIKELIHOODS, Likelihood
from jaxgen.models.vae import VAE, gaussian_vae

__all__ = ["LIKELIHOODS", "VAE", "Likelihood", "gaussian_vae"]

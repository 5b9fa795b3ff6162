"""Numbers to report: likelihoods, rates, active units."""

from jaxgen.metrics.bits import bits_per_dim
from jaxgen.metrics.latents import active_units, kl_per_dimension
from jaxgen.metrics.nll import log_marginal

__all__ = ["active_units", "bits_per_dim", "kl_per_dimension", "log_marginal"]

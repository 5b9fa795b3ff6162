"""Per-datapoint quantities to climb or lower, in nats, with their terms apart."""

from jaxgen.objectives.elbo import ElboTerms, analytic_kl, elbo, monte_carlo_kl
from jaxgen.objectives.iwae import importance_weighted_bound, log_importance_weights

__all__ = [
    "ElboTerms",
    "analytic_kl",
    "elbo",
    "importance_weighted_bound",
    "log_importance_weights",
    "monte_carlo_kl",
]

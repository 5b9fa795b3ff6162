"""Distributions that distrax lacks, or has in a form that is slower or less stable."""

from jaxgen.distributions.bernoulli import Bernoulli
from jaxgen.distributions.discretized_logistic import DiscretizedLogistic
from jaxgen.distributions.toy import IsotropicMixture, grid, line, ring

__all__ = ["Bernoulli", "DiscretizedLogistic", "IsotropicMixture", "grid", "line", "ring"]

"""Estimators of grad E_q[f(z)]: surrogates whose value is E_q[f] and whose gradient estimates its."""

from jaxgen.estimators.base import Estimate, Estimator, evaluate
from jaxgen.estimators.pathwise import pathwise

__all__ = ["Estimate", "Estimator", "evaluate", "pathwise"]

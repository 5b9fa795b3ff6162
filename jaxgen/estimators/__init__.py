"""Gradients of expectations: surrogates whose value is E_q[f(z)] and whose gradient estimates its gradient."""

from jaxgen.estimators.base import Estimate, Estimator, evaluate
from jaxgen.estimators.pathwise import pathwise

__all__ = ["Estimate", "Estimator", "evaluate", "pathwise"]

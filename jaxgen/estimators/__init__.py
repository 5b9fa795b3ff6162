"""Gradients of expectations E_q[f(z)] in the parameters of q, all under one contract."""

from jaxgen.estimators.base import Estimate, Estimator, evaluate
from jaxgen.estimators.pathwise import pathwise

__all__ = ["Estimate", "Estimator", "evaluate", "pathwise"]

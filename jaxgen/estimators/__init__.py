"""Gradients of expectations E_q[f(z)] in the parameters of q, all under one contract."""

from jaxgen.estimators.base import Estimate, Estimator, count_evaluations, evaluate
from jaxgen.estimators.baselines import Baseline, Control, constant, moving_average, none
from jaxgen.estimators.enumeration import enumeration
from jaxgen.estimators.exact_moments import (
    exact_moments,
    normal_quadrature,
    replay,
    sample_space,
)
from jaxgen.estimators.learned_baseline import learned
from jaxgen.estimators.leave_one_out import leave_one_out
from jaxgen.estimators.local_expectation import local_expectation
from jaxgen.estimators.measure_valued import measure_valued
from jaxgen.estimators.moments import (
    Bias,
    Moments,
    directional_snr,
    grad_moments,
    paired_bias,
)
from jaxgen.estimators.muprop import muprop
from jaxgen.estimators.optimal_coefficient import optimal_coefficient
from jaxgen.estimators.pathwise import pathwise
from jaxgen.estimators.score_function import score_function
from jaxgen.estimators.sticking_the_landing import sticking_the_landing

__all__ = [
    "Baseline",
    "Bias",
    "Control",
    "Estimate",
    "Estimator",
    "Moments",
    "constant",
    "count_evaluations",
    "directional_snr",
    "enumeration",
    "evaluate",
    "exact_moments",
    "grad_moments",
    "learned",
    "leave_one_out",
    "local_expectation",
    "measure_valued",
    "moving_average",
    "muprop",
    "none",
    "normal_quadrature",
    "optimal_coefficient",
    "paired_bias",
    "pathwise",
    "replay",
    "sample_space",
    "score_function",
    "sticking_the_landing",
]

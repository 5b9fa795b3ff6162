"""Gradients of expectations E_q[f(z)] in the parameters of q, all under one contract."""

from jaxgen.estimators.arm import arm
from jaxgen.estimators.base import Estimate, Estimator, count_evaluations, evaluate
from jaxgen.estimators.baselines import Baseline, Control, constant, moving_average, none
from jaxgen.estimators.bound import ELBO, IWAE, Bound
from jaxgen.estimators.disarm import disarm
from jaxgen.estimators.doubly_reparameterized import doubly_reparameterized
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
from jaxgen.estimators.rebar import RebarState, rebar
from jaxgen.estimators.relax import RelaxState, relax, relax_black_box
from jaxgen.estimators.relaxed import relaxed
from jaxgen.estimators.score_function import score_function
from jaxgen.estimators.sets import over_sets
from jaxgen.estimators.sticking_the_landing import sticking_the_landing
from jaxgen.estimators.straight_through import gumbel_straight_through, straight_through
from jaxgen.estimators.vimco import vimco

__all__ = [
    "ELBO",
    "IWAE",
    "Baseline",
    "Bias",
    "Bound",
    "Control",
    "Estimate",
    "Estimator",
    "Moments",
    "RebarState",
    "RelaxState",
    "arm",
    "constant",
    "count_evaluations",
    "directional_snr",
    "disarm",
    "doubly_reparameterized",
    "enumeration",
    "evaluate",
    "exact_moments",
    "grad_moments",
    "gumbel_straight_through",
    "learned",
    "leave_one_out",
    "local_expectation",
    "measure_valued",
    "moving_average",
    "muprop",
    "none",
    "normal_quadrature",
    "optimal_coefficient",
    "over_sets",
    "paired_bias",
    "pathwise",
    "rebar",
    "relax",
    "relax_black_box",
    "relaxed",
    "replay",
    "sample_space",
    "score_function",
    "sticking_the_landing",
    "straight_through",
    "vimco",
]

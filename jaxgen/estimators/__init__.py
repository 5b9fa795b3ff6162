"""Gradients of expectations E_q[f(z)] in the parameters of q, all under one contract."""

from jaxgen.estimators.arm import arm
from jaxgen.estimators.base import Estimate, Estimator, count_evaluations, evaluate, log_prob
from jaxgen.estimators.baselines import Baseline, Control, constant, moving_average, none
from jaxgen.estimators.by_name import ESTIMATORS, MakeEstimator
from jaxgen.estimators.disarm import disarm
from jaxgen.estimators.doubly_reparameterized import doubly_reparameterized
from jaxgen.estimators.enumeration import all_states, enumeration
from jaxgen.estimators.learned_baseline import learned
from jaxgen.estimators.leave_one_out import leave_one_out
from jaxgen.estimators.local_expectation import local_expectation
from jaxgen.estimators.measure_valued import measure_valued
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
    "ESTIMATORS",
    "Baseline",
    "Control",
    "Estimate",
    "Estimator",
    "MakeEstimator",
    "RebarState",
    "RelaxState",
    "all_states",
    "arm",
    "constant",
    "count_evaluations",
    "disarm",
    "doubly_reparameterized",
    "enumeration",
    "evaluate",
    "gumbel_straight_through",
    "learned",
    "leave_one_out",
    "local_expectation",
    "log_prob",
    "measure_valued",
    "moving_average",
    "muprop",
    "none",
    "optimal_coefficient",
    "over_sets",
    "pathwise",
    "rebar",
    "relax",
    "relax_black_box",
    "relaxed",
    "score_function",
    "sticking_the_landing",
    "straight_through",
    "vimco",
]

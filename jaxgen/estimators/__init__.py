"""Gradients of expectations E_q[f(z)] in the parameters of q, all under one contract.

`estimator.apply(state, key, f, q)` returns a surrogate and what was seen of it: the surrogate's
value estimates E_q[f], its gradient the gradient.

| question | answer |
|---|---|
| q is reparameterized and f is smooth | `pathwise` |
| that, with less noise | `learned_quadratic`, `taylor` of few latents, `quasi_monte_carlo` |
| that, of minibatches and one q for all data | `joint` of few latents |
| that, and f a log weight near the posterior | `sticking_the_landing` |
| that, and a bound of many samples | `doubly_reparameterized` |
| any q, f a step or a black box | `score_function`, with the baseline `leave_one_out` |
| a baseline from the past, or from a net | `moving_average`, `learned` |
| Bernoulli latents | `disarm`; `rebar` and `relax` learn beside the model |
| a bound of many discrete samples | `vimco` |
| an encoder that learns the posterior, not the bound | `reweighted_wake_sleep` |
| few states, or one latent at a time | `enumeration`, `local_expectation` |
| a black box and a normal, Bernoulli or Poisson q | `measure_valued` |
| some bias for little variance | `straight_through`, `gumbel_straight_through`, `reinmax` |
| one of these by its name; several at once | `ESTIMATORS`; `mix` |
| which of them on my problem? | `jaxgen.certify.measure` |
"""

from jaxgen.boundary import doors
from jaxgen.estimators.antithetic import arm, disarm
from jaxgen.estimators.arms import arms
from jaxgen.estimators.base import (
    Estimate,
    Estimator,
    Integrand,
    count_evaluations,
)
from jaxgen.estimators.by_name import ESTIMATORS, MakeEstimator, network_estimators
from jaxgen.estimators.carms import carms
from jaxgen.estimators.control_variates import (
    Baseline,
    Control,
    JointState,
    QuadraticState,
    RebarState,
    RelaxState,
    RodeoState,
    constant,
    double_control_variates,
    joint,
    learned,
    learned_quadratic,
    leave_one_out,
    moving_average,
    muprop,
    none,
    optimal_coefficient,
    rebar,
    relax,
    relax_black_box,
    rodeo,
    taylor,
)
from jaxgen.estimators.doubly_reparameterized import doubly_reparameterized
from jaxgen.estimators.enumeration import all_states, enumeration
from jaxgen.estimators.evaluation import evaluate, log_prob
from jaxgen.estimators.gapped_straight_through import gapped_straight_through
from jaxgen.estimators.generalized_doubly_reparameterized import (
    generalized_doubly_reparameterized,
)
from jaxgen.estimators.gumbel_rao import gumbel_rao
from jaxgen.estimators.held import without_score
from jaxgen.estimators.local_expectation import local_expectation
from jaxgen.estimators.measure_valued import measure_valued
from jaxgen.estimators.mix import MixState, mix
from jaxgen.estimators.over_sets import over_sets
from jaxgen.estimators.ovis import ovis
from jaxgen.estimators.pathwise import pathwise
from jaxgen.estimators.quasi_monte_carlo import quasi_monte_carlo
from jaxgen.estimators.reinmax import reinmax
from jaxgen.estimators.relaxations import gumbel_straight_through, relaxed, straight_through
from jaxgen.estimators.reweighted_wake_sleep import reweighted_wake_sleep
from jaxgen.estimators.score_function import score_function
from jaxgen.estimators.sticking_the_landing import sticking_the_landing
from jaxgen.estimators.sum_and_sample import sum_and_sample
from jaxgen.estimators.two_bounds import two_bounds
from jaxgen.estimators.unordered_set import unordered_set
from jaxgen.estimators.vimco import vimco

__all__ = [
    "ESTIMATORS",
    "Baseline",
    "Control",
    "Estimate",
    "Estimator",
    "Integrand",
    "JointState",
    "MakeEstimator",
    "MixState",
    "QuadraticState",
    "RebarState",
    "RelaxState",
    "RodeoState",
    "all_states",
    "arm",
    "arms",
    "carms",
    "constant",
    "count_evaluations",
    "disarm",
    "double_control_variates",
    "doubly_reparameterized",
    "enumeration",
    "evaluate",
    "gapped_straight_through",
    "generalized_doubly_reparameterized",
    "gumbel_rao",
    "gumbel_straight_through",
    "joint",
    "learned",
    "learned_quadratic",
    "leave_one_out",
    "local_expectation",
    "log_prob",
    "measure_valued",
    "mix",
    "moving_average",
    "muprop",
    "network_estimators",
    "none",
    "optimal_coefficient",
    "over_sets",
    "ovis",
    "pathwise",
    "quasi_monte_carlo",
    "rebar",
    "reinmax",
    "relax",
    "relax_black_box",
    "relaxed",
    "reweighted_wake_sleep",
    "rodeo",
    "score_function",
    "sticking_the_landing",
    "straight_through",
    "sum_and_sample",
    "taylor",
    "two_bounds",
    "unordered_set",
    "vimco",
    "without_score",
]

doors(__name__)

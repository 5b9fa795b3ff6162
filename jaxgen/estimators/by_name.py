"""Every estimator of grad E_q[f] that needs no network, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from jaxgen.estimators.antithetic import arm, disarm
from jaxgen.estimators.base import Estimator
from jaxgen.estimators.control_variates import (
    leave_one_out,
    moving_average,
    muprop,
    optimal_coefficient,
    rebar,
)
from jaxgen.estimators.local_expectation import local_expectation
from jaxgen.estimators.measure_valued import measure_valued
from jaxgen.estimators.pathwise import pathwise
from jaxgen.estimators.relaxations import gumbel_straight_through, relaxed, straight_through
from jaxgen.estimators.score_function import score_function
from jaxgen.estimators.sticking_the_landing import sticking_the_landing

MakeEstimator: TypeAlias = Callable[[int], Estimator]
"""`num_samples -> Estimator`."""

ESTIMATORS: dict[str, MakeEstimator] = {
    "score_function": score_function,
    "moving_average": lambda n: score_function(n, baseline=moving_average()),
    "optimal_coefficient": lambda n: score_function(n, baseline=optimal_coefficient()),
    "rloo": lambda n: score_function(n, baseline=leave_one_out()),
    "muprop": lambda n: score_function(n, baseline=muprop()),
    "measure_valued": measure_valued,
    "pathwise": pathwise,
    "sticking_the_landing": sticking_the_landing,
    "arm": arm,
    "disarm": disarm,
    "rebar": rebar,
    "local_expectation": local_expectation,
    "relaxed": relaxed,
    "straight_through": straight_through,
    "gumbel_straight_through": gumbel_straight_through,
}
"""`num_samples -> Estimator` by name, e.g. `ESTIMATORS["rloo"](2)`; the last three are biased where
f is not linear. `jaxgen.certify.accepted` picks those that accept a problem's q."""

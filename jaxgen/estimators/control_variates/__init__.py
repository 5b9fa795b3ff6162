"""Control variates: numbers, networks, expansions and relaxations of f."""

from jaxgen.estimators.control_variates.base import Baseline, Control
from jaxgen.estimators.control_variates.baselines import (
    constant,
    leave_one_out,
    moving_average,
    none,
)
from jaxgen.estimators.control_variates.double_control_variates import double_control_variates
from jaxgen.estimators.control_variates.joint import JointState, joint
from jaxgen.estimators.control_variates.learned import learned
from jaxgen.estimators.control_variates.learned_quadratic import (
    QuadraticState,
    learned_quadratic,
)
from jaxgen.estimators.control_variates.muprop import muprop
from jaxgen.estimators.control_variates.optimal_coefficient import optimal_coefficient
from jaxgen.estimators.control_variates.rebar import RebarState, rebar
from jaxgen.estimators.control_variates.relax import RelaxState, relax, relax_black_box
from jaxgen.estimators.control_variates.rodeo import RodeoState, rodeo
from jaxgen.estimators.control_variates.taylor import taylor

__all__ = [
    "Baseline",
    "Control",
    "JointState",
    "QuadraticState",
    "RebarState",
    "RelaxState",
    "RodeoState",
    "constant",
    "double_control_variates",
    "joint",
    "learned",
    "learned_quadratic",
    "leave_one_out",
    "moving_average",
    "muprop",
    "none",
    "optimal_coefficient",
    "rebar",
    "relax",
    "relax_black_box",
    "rodeo",
    "taylor",
]

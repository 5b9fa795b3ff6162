"""The estimators of grad E_q[f] by name: those that need no network, and those of given ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.estimators.antithetic import arm, disarm
from jaxgen.estimators.arms import arms
from jaxgen.estimators.base import Estimator
from jaxgen.estimators.carms import carms
from jaxgen.estimators.control_variates import (
    double_control_variates,
    learned,
    learned_quadratic,
    leave_one_out,
    moving_average,
    muprop,
    optimal_coefficient,
    rebar,
    relax,
    rodeo,
    taylor,
)
from jaxgen.estimators.gapped_straight_through import gapped_straight_through
from jaxgen.estimators.gumbel_rao import gumbel_rao
from jaxgen.estimators.local_expectation import local_expectation
from jaxgen.estimators.measure_valued import measure_valued
from jaxgen.estimators.pathwise import pathwise
from jaxgen.estimators.quasi_monte_carlo import quasi_monte_carlo
from jaxgen.estimators.reinmax import reinmax
from jaxgen.estimators.relaxations import gumbel_straight_through, relaxed, straight_through
from jaxgen.estimators.score_function import score_function
from jaxgen.estimators.sticking_the_landing import sticking_the_landing
from jaxgen.estimators.sum_and_sample import sum_and_sample
from jaxgen.estimators.unordered_set import unordered_set
from jaxgen.types import Key, Params

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
    "taylor": taylor,
    "learned_quadratic": learned_quadratic,
    "quasi_monte_carlo": lambda n: quasi_monte_carlo(pathwise(n)),
    "arm": arm,
    "disarm": disarm,
    "arms": arms,
    "carms": carms,
    "double_control_variates": double_control_variates,
    "rebar": rebar,
    "rodeo": rodeo,
    "local_expectation": local_expectation,
    "unordered_set": unordered_set,
    "sum_and_sample": sum_and_sample,
    "relaxed": relaxed,
    "straight_through": straight_through,
    "gumbel_straight_through": gumbel_straight_through,
    "gumbel_rao": gumbel_rao,
    "gapped_straight_through": gapped_straight_through,
    "reinmax": reinmax,
}
"""`num_samples -> Estimator` by name, e.g. `ESTIMATORS["rloo"](2)`; those from
`relaxed` on are biased. `jaxgen.certify.accepted` picks those that accept a problem's q."""


@runtime_checkable
class Network(Protocol):
    """A linen module, or whatever has these two of it."""

    @property
    def init(self) -> Callable[..., Any]:
        """`(key, input) -> params`."""
        ...

    @property
    def apply(self) -> Callable[..., Any]:
        """`(params, input) -> one number, of shape ()`."""
        ...


def network_estimators(baseline: Network, control: Network) -> dict[str, MakeEstimator]:
    """Returns `nvil` and `relax` with these networks, as `ESTIMATORS` has the others.

    Args:
      baseline: NVIL's, from the context: the datapoint, an array of any shape.
      control: RELAX's, from one vector, of the context flattened and of the continuous z behind the
        sample.
    Example:
      >>> table = {**ESTIMATORS, **network_estimators(MLP((100,), ()), MLP((100,), ()))}
      >>> table["relax"](2)
    Source: Mnih & Gregor (2014); Grathwohl et al. (2018).
    """

    # Made once, so that equal calls make equal estimators.
    def inputs(z: Array, context: Array) -> Array:
        return jnp.concatenate([context.reshape(-1), z.reshape(-1)])

    def init(key: Key, z: Array, context: Array) -> Params:
        return control.init(key, inputs(z, context))

    def apply(params: Params, z: Array, context: Array) -> Array:
        return control.apply(params, inputs(z, context))

    return {
        "nvil": lambda n: score_function(n, baseline=learned(baseline.init, baseline.apply)),
        "relax": lambda n: relax(n, network_init=init, network_apply=apply),
    }

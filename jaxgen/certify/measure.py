"""Bias, variance and cost of gradient estimators along one frozen trajectory of params."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from jaxgen.certify.budget import MakeEstimator, at_budget
from jaxgen.certify.problem import Problem, estimated_gradient
from jaxgen.certify.reference import (
    Reference,
    exact_references,
    mean_of_rows,
    sampled_references,
)
from jaxgen.certify.trajectory import trajectory
from jaxgen.checks import at_least
from jaxgen.estimators import Estimator, count_evaluations
from jaxgen.types import Key, Params

GROUPS = 20
"""Groups that the draws are made in: from the spread between them come the intervals."""
T_95 = 2.093  # Student's t of 19 degrees of freedom, two-sided 95%


class Row(NamedTuple):
    """One estimator on one part of one problem's params, at one point and one budget.

    All of it is about one gradient, the mean over the problem's batch of datapoints.

    Attributes:
      problem, estimator: names.
      step: updates of the params, and of whatever the estimator learns, before the measurement.
      point: the problem's own name for it.
      subtree: the part of the params.
      samples: the estimator's num_samples.
      evaluations: evaluations of f per datapoint for one gradient.
      unbiased: whether the estimator says that it is.
      draws: independent gradients that were measured.
      mean: component of the mean gradient along the reference gradient (the length of it, if there
        is no bias); of a single param its mean gradient.
      reference: the same of the exact gradient, or of an independent unbiased estimate.
      bias_z: mean less reference, in standard errors of that difference.
      variance: trace of the covariance of one gradient.
      variance_low, variance_high: its interval of 95% confidence.
      snr: |E gradient| / sqrt(variance), the noise of the mean taken out; 0 if nothing stands out.
      seconds_per_gradient: median over the groups, compilation apart; gradients of one group are
        computed in one call, and estimators take turns.
      variance_x_evaluations, variance_x_time: variance at equal cost.
    """

    problem: str
    estimator: str
    step: int
    point: str
    subtree: str
    samples: int
    evaluations: int
    unbiased: bool
    draws: int
    mean: float
    reference: float
    bias_z: float
    variance: float
    variance_low: float
    variance_high: float
    snr: float
    seconds_per_gradient: float
    variance_x_evaluations: float
    variance_x_time: float


class Cell(NamedTuple):
    """An estimator at one budget."""

    name: str
    samples: int
    estimator: Estimator
    evaluations: int
    draws: int  # per group


class Summary(NamedTuple):
    """What is kept of a group of gradients."""

    mean: Float[Array, "params"]
    trace: Float[Array, ""]
    along: Float[Array, ""]
    along_variance: Float[Array, ""]


def measure(
    problem: Problem,
    estimators: Mapping[str, MakeEstimator],
    *,
    evaluations: tuple[int, ...] = (2,),
    num_draws: int = 10_000,
    control_rate: float = 1e-2,
    seed: int = 0,
) -> list[Row]:
    """Returns a row for every estimator, budget, part of the params and point of the trajectory.

    Every estimator gets as many samples as the budget pays for; one whose cheapest gradient is
    dearer is measured once, at that, with fewer draws. The params move as the problem says, not as
    the estimator on trial would move them. What an estimator learns (a baseline, a control
    variate's network) it learns on the way, from the same batches, by Adam; then it is frozen too.

    Args:
      problem: what to estimate.
      estimators: by name, each `num_samples -> Estimator`.
      evaluations: budgets, in evaluations of f per datapoint and gradient.
      num_draws: gradients per cell, a multiple of 20 and at least 40.
      control_rate: Adam's rate for what estimators learn.
      seed: of everything random.
    Raises:
      ValueError: an argument is out of range; an estimator does not accept the problem's q or f.
    Example:
      rows = measure(quadratic(), {"mine": lambda num_samples: my_estimator(num_samples)})
    """
    per_group, rest = divmod(at_least("num_draws", num_draws, 2 * GROUPS), GROUPS)
    if rest:
        raise ValueError(f"num_draws: got {num_draws}, expected a multiple of {GROUPS}")
    key_batch, key_walk, key_reference, key_draws = jax.random.split(jax.random.key(seed), 4)
    batch = jax.jit(problem.batch)(key_batch)
    cells = _cells(problem, estimators, evaluations, per_group, batch)
    draw = [_draw(problem, cell.estimator, cell.draws) for cell in cells]
    draw_guide = _draw(problem, problem.guide, per_group)
    rows = []
    tried = [cell.estimator for cell in cells]
    for step, params, states in trajectory(problem, tried, optax.adam(control_rate), key_walk):
        label = problem.label(step, params)
        if problem.exact is not None:
            references = exact_references(problem, problem.exact(params))
        else:
            references = sampled_references(
                lambda key, params=params: draw_guide(params, (), key, batch),
                jax.random.clone(key_reference),
                GROUPS,
            )
        summaries: list[list[dict[str, Summary]]] = [[] for _ in cells]
        seconds: list[list[float]] = [[] for _ in cells]
        key_compile, *keys = jax.random.split(jax.random.fold_in(key_draws, step), GROUPS + 1)
        for i in range(len(cells)):
            jax.block_until_ready(draw[i](params, states[i], jax.random.clone(key_compile), batch))
        for key in keys:
            for i, cell in enumerate(cells):
                start = time.perf_counter()
                draws = draw[i](params, states[i], jax.random.clone(key), batch)
                jax.block_until_ready(draws)
                seconds[i].append((time.perf_counter() - start) / cell.draws)
                summaries[i].append(
                    {name: _summary(draws[name], references[name].direction) for name in draws}
                )
        for i, cell in enumerate(cells):
            for part in problem.parts or references:
                reference = references[part]
                groups = jax.device_get([s[part] for s in summaries[i]])
                time_each = statistics.median(seconds[i])
                rows.append(
                    _row(problem.name, cell, step, label, part, reference, groups, time_each)
                )
    return rows


def _cells(
    problem: Problem,
    estimators: Mapping[str, MakeEstimator],
    budgets: tuple[int, ...],
    per_group: int,
    batch: Array,
) -> list[Cell]:
    cells: dict[tuple[str, int], Cell] = {}
    _, q = problem.target(problem.params, batch[0])
    for (name, make), budget in itertools.product(estimators.items(), sorted(budgets)):
        at_least("evaluations", budget, 1)
        samples, estimator = at_budget(make, q, budget)
        cost = count_evaluations(estimator, q)
        draws = max(2, per_group * budget // max(cost, budget))
        cells.setdefault((name, samples), Cell(name, samples, estimator, cost, draws))
    return list(cells.values())


def _draw(problem: Problem, estimator: Estimator, count: int) -> Callable[..., dict[str, Params]]:
    """Returns the compiled `(params, state, key, batch) -> count independent gradients`."""
    one = estimated_gradient(problem, estimator)

    @jax.jit
    def draw(params: Params, state: Any, key: Key, batch: Array) -> dict[str, Params]:
        keys = jax.random.split(key, count)
        return jax.vmap(one, (None, None, 0, None))(params, state, keys, batch)

    return draw


@jax.jit
def _summary(draws: Params, direction: Array) -> Summary:
    flat = jax.vmap(lambda tree: ravel_pytree(tree)[0])(draws)
    along = flat @ direction
    mean = mean_of_rows(flat)
    trace = jnp.sum((flat - mean) ** 2) / (len(flat) - 1)
    return Summary(mean, trace, jnp.mean(along), jnp.var(along, ddof=1))


def _row(
    problem: str,
    cell: Cell,
    step: int,
    point: str,
    part: str,
    reference: Reference,
    groups: list[Summary],
    seconds: float,
) -> Row:
    draws = GROUPS * cell.draws
    mean = np.mean([g.mean for g in groups], axis=0)
    along = statistics.fmean(float(g.along) for g in groups)
    traces = [float(g.trace) for g in groups]
    variance = statistics.fmean(traces)
    # An interval of the logarithm: a variance is positive and its error is a part of it.
    error = T_95 * statistics.stdev(traces) / math.sqrt(GROUPS) / variance if variance else 0.0
    along_stderr = math.sqrt(statistics.fmean(float(g.along_variance) for g in groups) / draws)
    rounding = 1e-6 * (abs(along) + abs(reference.length)) + 1e-30
    signal = max(float(mean @ mean) - variance / draws, 0.0)
    return Row(
        problem=problem,
        estimator=cell.name,
        step=step,
        point=point,
        subtree=part,
        samples=cell.samples,
        evaluations=cell.evaluations,
        unbiased=cell.estimator.unbiased,
        draws=draws,
        mean=along,
        reference=reference.length,
        bias_z=(along - reference.length) / (math.hypot(along_stderr, reference.stderr) + rounding),
        variance=variance,
        variance_low=variance * math.exp(-error),
        variance_high=variance * math.exp(error),
        snr=math.sqrt(signal / variance) if variance else math.inf,
        seconds_per_gradient=seconds,
        variance_x_evaluations=variance * cell.evaluations,
        variance_x_time=variance * seconds,
    )

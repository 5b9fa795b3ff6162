"""Bias, variance and cost of gradient estimators along one frozen trajectory of params."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxgen.certify.budget import cells_at
from jaxgen.certify.exact_gradient import exact_gradient
from jaxgen.certify.moments import Moments, moments_of
from jaxgen.certify.problem import Problem, estimated_gradient
from jaxgen.certify.reference import exact_references, sampled_references
from jaxgen.certify.row import GROUPS, Row, row_of
from jaxgen.certify.running import RunningBatches, add_batch, no_batches, ravel_rows
from jaxgen.certify.trajectory import trajectory
from jaxgen.checks import at_least
from jaxgen.estimators import Estimator, MakeEstimator
from jaxgen.numerics import highest_precision
from jaxgen.types import Key, Params


@highest_precision
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

    Every estimator gets as many samples as the budget pays for. If its cheapest gradient costs
    more, it is measured once, at that cost, with fewer draws. The params move as the problem says,
    whatever estimator is on trial. What an estimator learns (a baseline, a control variate's
    network) it learns on the way, from the same batches, by Adam; at each point it is frozen.

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
      >>> makes = {"DisARM": disarm, "RLOO": lambda n: score_function(n, baseline=leave_one_out())}
      >>> rows = measure(toy(0.45), makes, num_draws=1000)
    """
    per_group, rest = divmod(at_least("num_draws", num_draws, 2 * GROUPS), GROUPS)
    if rest:
        raise ValueError(f"num_draws: got {num_draws}, expected a multiple of {GROUPS}")
    key_batch, key_walk, key_reference, key_draws = jax.random.split(jax.random.key(seed), 4)
    batch = jax.jit(problem.batch)(key_batch)
    cells = cells_at(problem, estimators, evaluations, per_group, batch[0])
    tried = [cell.estimator for cell in cells]
    draw = [_draw(problem, cell.estimator, cell.draws) for cell in cells]
    draw_guide = _draw(problem, problem.guide, per_group)
    exact = exact_gradient(problem, batch)
    rows = []
    for step, params, states in trajectory(problem, tried, optax.adam(control_rate), key_walk):

        def group(key: Key, params: Params = params) -> dict[str, Params]:
            return draw_guide(params, (), key, batch)

        if exact is not None:
            references = exact_references(problem, exact(params))
        else:
            references = sampled_references(group, jax.random.clone(key_reference), GROUPS)
        calls = [
            functools.partial(one, params, state, batch=batch)
            for one, state in zip(draw, states, strict=True)
        ]
        directions = {part: reference.direction for part, reference in references.items()}
        key = jax.random.fold_in(key_draws, step)
        where = {"problem": problem.name, "step": step, "point": problem.label(step, params)}
        for cell, (moments, seconds) in zip(cells, _by_turns(calls, key, directions), strict=True):
            for part in problem.parts or references:
                gradient, along = moments[part]
                reference, each = references[part], seconds / cell.draws
                rows.append(row_of(cell, reference, gradient, along, each, **where, subtree=part))
    return rows


def _by_turns(
    draw: Sequence[Callable[[Key], dict[str, Params]]], key: Key, directions: dict[str, Array]
) -> list[tuple[dict[str, tuple[Moments, Moments]], float]]:
    """Returns the moments of every contestant's gradients, and the median seconds of its groups.

    The contestants take turns, group by group, with the same keys.
    """
    key_compile, *keys = jax.random.split(key, GROUPS + 1)
    for one in draw:
        jax.block_until_ready(one(jax.random.clone(key_compile)))
    seen = [_nothing(directions) for _ in draw]
    seconds: list[list[float]] = [[] for _ in draw]
    for key in keys:
        for i, one in enumerate(draw):
            start = time.perf_counter()
            draws = jax.block_until_ready(one(jax.random.clone(key)))
            seconds[i].append(time.perf_counter() - start)
            seen[i] = _add(seen[i], draws, directions)
    return [
        (jax.device_get(_moments(found)), statistics.median(times))
        for found, times in zip(seen, seconds, strict=True)
    ]


def _draw(problem: Problem, estimator: Estimator, count: int) -> Callable[..., dict[str, Params]]:
    """Returns the compiled `(params, state, key, batch) -> count independent gradients`."""
    one = estimated_gradient(problem, estimator)

    @jax.jit
    def draw(params: Params, state: Any, key: Key, batch: Array) -> dict[str, Params]:
        keys = jax.random.split(key, count)
        return jax.vmap(one, (None, None, 0, None))(params, state, keys, batch)

    return draw


Seen: TypeAlias = dict[str, tuple[RunningBatches, RunningBatches]]
"""By part: the running moments of the gradient, and of its component along the reference."""


def _nothing(directions: dict[str, Array]) -> Seen:
    return {k: (no_batches(u), no_batches(jnp.sum(u))) for k, u in directions.items()}


@jax.jit
def _add(seen: Seen, draws: dict[str, Params], directions: dict[str, Array]) -> Seen:
    def added(part: str) -> tuple[RunningBatches, RunningBatches]:
        flat = ravel_rows(draws[part])
        along = jnp.matmul(flat, directions[part], precision=jax.lax.Precision.HIGHEST)
        gradient_seen, along_seen = seen[part]
        return add_batch(gradient_seen, flat), add_batch(along_seen, along)

    return {part: added(part) for part in draws}


@jax.jit
def _moments(seen: Seen) -> dict[str, tuple[Moments, Moments]]:
    return {part: (moments_of(flat), moments_of(along)) for part, (flat, along) in seen.items()}

"""Bias, variance and cost of gradient estimators along one frozen trajectory of params."""

from __future__ import annotations

import functools
import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from benchmarks.problems import Problem
from jaxgen.checks import at_least
from jaxgen.estimators import Estimator, count_evaluations
from jaxgen.types import Key, Params

Make = Callable[[int], Estimator]
"""`num_samples -> Estimator`."""

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


class Reference(NamedTuple):
    """A unit vector, and how far the true gradient reaches along it."""

    direction: Float[Array, "params"]
    length: float
    stderr: float


class Summary(NamedTuple):
    """What is kept of a group of gradients."""

    mean: Float[Array, "params"]
    trace: Float[Array, ""]
    along: Float[Array, ""]
    along_variance: Float[Array, ""]


def measure(
    problem: Problem,
    estimators: Mapping[str, Make],
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
    for step, params, states in _walk(problem, cells, optax.adam(control_rate), key_walk):
        label = problem.label(step, params)
        references = _references(
            problem, draw_guide, params, batch, jax.random.clone(key_reference)
        )
        summaries: list[list[dict[str, Summary]]] = [[] for _ in cells]
        seconds: list[list[float]] = [[] for _ in cells]
        key_compile, *keys = jax.random.split(jax.random.fold_in(key_draws, step), GROUPS + 1)
        for i in range(len(cells)):
            jax.block_until_ready(draw[i](params, states[i], batch, jax.random.clone(key_compile)))
        for key in keys:
            for i, cell in enumerate(cells):
                start = time.perf_counter()
                draws = draw[i](params, states[i], batch, jax.random.clone(key))
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


def at_budget(make: Make, q: Any, budget: int) -> tuple[int, Estimator]:
    """Returns the most samples that `budget` evaluations of f pay for, and that estimator.

    Where the budget pays for none it is the cheapest.

    Example:
      at_budget(disarm, q, 9)[0]  # 8: pairs
    """

    def made(num_samples: int) -> tuple[int, Estimator] | None:
        try:
            return num_samples, make(num_samples)
        except ValueError:  # too few, or not even
            return None

    offers = list(filter(None, map(made, range(1, budget + 3))))
    if not offers:
        make(budget)  # says why
    paid = [offer for offer in offers if count_evaluations(offer[1], q) <= budget]
    return paid[-1] if paid else offers[0]


def gradient(problem: Problem, estimator: Estimator) -> Callable[..., Params]:
    """Returns `(params, state, batch, key) -> gradients of the problem's parts`, by name."""

    def gradients(params: Params, state: Any, batch: Array, key: Key) -> Params:
        grad = jax.grad(_mean_surrogate(problem, estimator), has_aux=True)
        grads, _ = grad(params, state, batch, key)
        return {name: grads[name] for name in problem.parts} or {"params": grads}

    return gradients


def _mean_surrogate(problem: Problem, estimator: Estimator) -> Callable[..., tuple[Array, Any]]:
    def surrogate(params: Params, state: Any, batch: Array, key: Key) -> tuple[Array, Any]:
        def one(key: Key, x: Array) -> tuple[Array, Any]:
            return estimator.apply(state, key, *problem.target(params, x), x)

        values, estimates = jax.vmap(one)(jax.random.split(key, len(batch)), batch)
        return jnp.mean(values), estimates

    return surrogate


def _cells(
    problem: Problem,
    estimators: Mapping[str, Make],
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


def _draw(problem: Problem, estimator: Estimator, count: int) -> Callable[..., dict[str, Array]]:
    """Returns the compiled `(params, state, batch, key) -> count independent gradients`."""
    one = gradient(problem, estimator)

    @jax.jit
    def draw(params: Params, state: Any, batch: Array, key: Key) -> dict[str, Array]:
        keys = jax.random.split(key, count)
        return jax.vmap(one, (None, None, None, 0))(params, state, batch, keys)

    return draw


def _walk(
    problem: Problem, cells: list[Cell], control: optax.GradientTransformation, key: Key
) -> Iterator[tuple[int, Params, list[Any]]]:
    """Yields the step, the params and every cell's state at each step of the problem."""
    key_x, key_init, key_steps = jax.random.split(key, 3)
    x = problem.batch(key_x)[0]
    _, q = problem.target(problem.params, x)
    keys = jax.random.split(key_init, len(cells))
    states = [cell.estimator.init(k, q, x) for cell, k in zip(cells, keys, strict=True)]
    guide = jax.grad(_mean_surrogate(problem, problem.guide), has_aux=True)

    def learn(cell: Cell, params: Params, learner: Any, batch: Array, key: Key) -> Any:
        state, opt_state = learner
        if not jax.tree.leaves(state):
            return learner
        surrogate = _mean_surrogate(problem, cell.estimator)
        grads, estimates = jax.grad(surrogate, argnums=1, has_aux=True)(params, state, batch, key)
        updates, opt_state = control.update(grads, opt_state)
        return cell.estimator.update(optax.apply_updates(state, updates), estimates), opt_state

    @jax.jit
    def advance(start: int, stop: int, carry: Any) -> Any:
        def body(step: Array, carry: Any) -> Any:
            params, opt_state, learners = carry
            key = jax.random.fold_in(key_steps, step)
            key_batch, key_guide, key_learn = jax.random.split(key, 3)
            batch = problem.batch(key_batch)
            learners = [
                learn(cell, params, learner, batch, jax.random.fold_in(key_learn, i))
                for i, (cell, learner) in enumerate(zip(cells, learners, strict=True))
            ]
            grads, _ = guide(params, (), batch, key_guide)
            climb = jax.tree.map(jnp.negative, grads)
            updates, opt_state = problem.optimizer.update(climb, opt_state, params)
            return optax.apply_updates(params, updates), opt_state, learners

        return jax.lax.fori_loop(start, stop, body, carry)

    learners = [(state, control.init(state)) for state in states]
    carry = (problem.params, problem.optimizer.init(problem.params), learners)
    for start, stop in itertools.pairwise((0, *problem.steps)):
        carry = advance(start, stop, carry)
        yield stop, carry[0], [state for state, _ in carry[2]]


@jax.jit
def _summary(draws: Params, direction: Array) -> Summary:
    flat = jax.vmap(lambda tree: ravel_pytree(tree)[0])(draws)
    along = flat @ direction
    mean = _mean_of_rows(flat)
    trace = jnp.sum((flat - mean) ** 2) / (len(flat) - 1)
    return Summary(mean, trace, jnp.mean(along), jnp.var(along, ddof=1))


def _references(
    problem: Problem, draw_guide: Callable[..., Params], params: Params, batch: Array, key: Key
) -> dict[str, Reference]:
    """The exact gradient of each part, or the direction and, apart from it, the length of it."""
    if problem.exact is not None:
        exact = problem.exact(params)
        parts = {name: exact[name] for name in problem.parts} or {"params": exact}
        flat = {name: ravel_pytree(tree)[0] for name, tree in parts.items()}
        units = {name: _unit(vector) for name, vector in flat.items()}
        return {name: Reference(units[name], float(flat[name] @ units[name]), 0.0) for name in flat}

    def group_means(key: Key) -> Iterator[dict[str, Array]]:
        for k in jax.random.split(key, GROUPS):
            yield _flat_means(draw_guide(params, (), batch, k))

    key_direction, key_length = jax.random.split(key)
    total = functools.reduce(lambda a, b: jax.tree.map(jnp.add, a, b), group_means(key_direction))
    units = {name: _unit(vector) for name, vector in total.items()}
    lengths = [{name: float(m[name] @ units[name]) for name in m} for m in group_means(key_length)]
    references = {}
    for name, unit in units.items():
        along = [length[name] for length in lengths]
        stderr = statistics.stdev(along) / math.sqrt(GROUPS)
        references[name] = Reference(unit, statistics.fmean(along), stderr)
    return references


@jax.jit
def _flat_means(draws: Params) -> dict[str, Array]:
    def flat(draws: Params) -> Array:
        return jax.vmap(lambda tree: ravel_pytree(tree)[0])(draws)

    return {name: _mean_of_rows(flat(tree)) for name, tree in draws.items()}


def _mean_of_rows(rows: Float[Array, "rows params"]) -> Float[Array, "params"]:
    """As a product: XLA's sum over a leading axis takes the CPU up to a hundred times as long."""
    return jnp.ones(len(rows)) @ rows / len(rows)


def _unit(vector: Float[Array, "params"]) -> Float[Array, "params"]:
    """The unit vector along `vector`; of a single number, which keeps its sign, 1."""
    norm = jnp.linalg.norm(vector)
    even = jnp.full_like(vector, 1 / math.sqrt(vector.size))
    return even if vector.size == 1 else jnp.where(norm > 0, vector / norm, even)


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

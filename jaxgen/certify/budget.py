"""Equal evaluations of f for every estimator: the number of samples that a budget pays for."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import jax
from jaxtyping import Array

from jaxgen.certify.problem import Problem
from jaxgen.checks import at_least
from jaxgen.estimators import Estimator, MakeEstimator, count_evaluations
from jaxgen.types import Distribution, Key


def at_budget(make: MakeEstimator, q: Distribution, budget: int) -> tuple[int, Estimator]:
    """Returns the most samples that `budget` evaluations of f pay for, and that estimator.

    If the budget pays for none, it is the cheapest estimator that there is.

    Example:
      >>> at_budget(disarm, distrax.Bernoulli(0.3), 9)[0]  # 8, since DisARM draws pairs
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


def accepted(problem: Problem, estimators: Mapping[str, MakeEstimator]) -> dict[str, MakeEstimator]:
    """Returns those of `estimators` that accept the problem's q and f.

    Example:
      >>> accepted(toy(0.45), {"pathwise": pathwise, "DisARM": disarm})  # DisARM alone
    """

    return {name: make for name, make in estimators.items() if not refusal(problem, make)}


def refusal(problem: Problem, make: MakeEstimator) -> str:
    """Returns the words in which an estimator refuses the problem's q or f; none if it does not.

    Example:
      >>> refusal(toy(0.45), pathwise)
      'q: got samples that some parameter moves only in jumps from Bernoulli, expected ...'
    """
    x = problem.batch(jax.random.key(0))[0]
    f, q = problem.target(problem.params, x)
    try:
        _, estimator = at_budget(make, q, 2)

        def once(key: Key) -> object:
            key_init, key = jax.random.split(key)
            return estimator.apply(estimator.init(key_init, q, x), key, f, q, x)

        jax.eval_shape(once, jax.random.key(0))
    except ValueError as error:
        return str(error)
    return ""


class Cell(NamedTuple):
    """An estimator at one budget.

    Attributes:
      name, estimator: of the estimator.
      samples: its num_samples.
      evaluations: of f, per datapoint and gradient.
      draws: gradients in one group.
    """

    name: str
    samples: int
    estimator: Estimator
    evaluations: int
    draws: int


def cells_at(
    problem: Problem,
    estimators: Mapping[str, MakeEstimator],
    budgets: tuple[int, ...],
    draws: int,
    x: Array,
) -> list[Cell]:
    """Returns every estimator at every budget; one that is dearer gets fewer draws, and one cell.

    Args:
      draws: gradients in one group of those that keep to their budget.
      x: a datapoint, for the number of latents.
    """
    cells: dict[tuple[str, int], Cell] = {}
    _, q = problem.target(problem.params, x)
    for (name, make), budget in itertools.product(estimators.items(), sorted(budgets)):
        at_least("evaluations", budget, 1)
        samples, estimator = at_budget(make, q, budget)
        cost = count_evaluations(estimator, q)
        paid = max(2, draws * budget // max(cost, budget))
        cells.setdefault((name, samples), Cell(name, samples, estimator, cost, paid))
    return list(cells.values())

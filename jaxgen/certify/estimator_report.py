"""The certificate of an estimator on every problem: what it accepts, bias, variance, price."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import jax
import numpy as np
import optax

from jaxgen.certify.budget import accepted, at_budget, refusal
from jaxgen.certify.counted import counted_evaluations
from jaxgen.certify.enumerated import enumerated_moments
from jaxgen.certify.exact_gradient import exact_gradient
from jaxgen.certify.judged import EstimatorReport, Judged
from jaxgen.certify.measure import measure
from jaxgen.certify.problem import Problem, split_parts
from jaxgen.certify.row import Row
from jaxgen.certify.running import total
from jaxgen.certify.toys import TOYS
from jaxgen.certify.trajectory import trajectory
from jaxgen.checks import between_0_and_1
from jaxgen.estimators import ESTIMATORS, MakeEstimator, score_function

NAME = "this estimator"
"""What the estimator on trial is called where rivals have names."""


def estimator_report(
    make: MakeEstimator,
    problems: Iterable[Problem] | None = None,
    *,
    rivals: Mapping[str, MakeEstimator] = ESTIMATORS,
    evaluations: int = 2,
    num_draws: int = 20_000,
    false_alarm: float = 1e-6,
    seed: int = 0,
    progress: Callable[[str], object] = lambda name: None,
) -> EstimatorReport:
    """Returns the certificate of an estimator: bias, variance and price on every problem it takes.

    It gets as many samples as the budget pays for, as all do that it is compared with. The bias is
    tested coordinate by coordinate where the exact gradient is known, else along an estimate of it.
    Where an estimator only draws samples of a discrete q and scores them, mean and variance are
    exact besides. A refusal is a ValueError; any other error that the estimator raises is told too.

    Args:
      make: `num_samples -> Estimator`.
      problems: by default all of `TOYS`.
      rivals: by name, of which the best is told: by default all that need no network. One that
        equals the estimator is none.
      evaluations: of f per datapoint and gradient.
      num_draws: gradients for every row, a multiple of 20 and at least 40.
      false_alarm: chance that an estimator without bias is called biased.
      seed: of everything random.
      progress: called with each problem's name before it is measured.
    Raises:
      ValueError: an argument is out of range; no problem is accepted, with the words of the first
        refusal.
    Example:
      >>> def mine(num_samples):
      ...     return score_function(num_samples, baseline=leave_one_out())
      >>> print(estimator_report(mine, [toy(0.45), quadratic()]))
    Source: Mohamed et al. (2020) for comparisons at equal cost.
    """
    between_0_and_1("false_alarm", false_alarm)
    judged: list[Judged] = []
    refused: dict[str, str] = {}
    claims = True
    problems = [make_problem() for make_problem in TOYS.values()] if problems is None else problems
    for problem in problems:
        progress(problem.name)
        try:
            words = refusal(problem, make)
        except Exception as error:  # not in our words: what it breaks with is its answer
            words = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        if words:
            refused[problem.name] = words
            continue
        _, q = problem.target(problem.params, problem.batch(jax.random.key(0))[0])
        _, estimator = at_budget(make, q, evaluations)
        claims = estimator.unbiased
        others = {
            name: rival
            for name, rival in accepted(problem, rivals).items()
            if at_budget(rival, q, evaluations)[1] != estimator
        }
        makes = {"score_function": score_function, **others, NAME: make}
        rows = measure(problem, makes, evaluations=(evaluations,), num_draws=num_draws, seed=seed)
        judged += _judge(problem, rows, make, evaluations)
    if not judged:
        words = next(iter(refused.values()), "none")
        raise ValueError(f"problems: got none that the estimator accepts, expected one: {words}")
    return EstimatorReport(claims, tuple(judged), refused, false_alarm)


def _judge(
    problem: Problem, rows: Sequence[Row], make: MakeEstimator, evaluations: int
) -> list[Judged]:
    _, q = problem.target(problem.params, problem.batch(jax.random.key(0))[0])
    counted = counted_evaluations(problem, at_budget(make, q, evaluations)[1])
    exact = _exact(problem, make, evaluations)
    judged = []
    for part in dict.fromkeys(row.subtree for row in rows):
        of_part = [row for row in rows if row.subtree == part]
        last = [row for row in of_part if row.step == of_part[-1].step]
        best = min(
            (row for row in last if row.unbiased and row.estimator != NAME),
            key=lambda row: row.variance_x_evaluations,
        )
        plain = next(row for row in last if row.estimator == "score_function")
        points = tuple(row for row in of_part if row.estimator == NAME)
        judged.append(Judged(points, plain, best, counted, *exact.get(part, (None, None))))
    return judged


def _exact(
    problem: Problem, make: MakeEstimator, evaluations: int
) -> dict[str, tuple[float, float]]:
    """By part, the exact variance at the last point and the relative length of the exact bias."""
    *_, (_, params, _) = trajectory(problem, (), optax.set_to_zero(), jax.random.key(0))
    batch = problem.batch(jax.random.key(0))
    _, q = problem.target(params, batch[0])
    samples, estimator = at_budget(make, q, evaluations)
    gradient = exact_gradient(problem, batch)
    here = problem._replace(params=params)
    moments = None if gradient is None else enumerated_moments(here, estimator, samples)
    if gradient is None or moments is None:
        return {}
    exact = split_parts(problem, gradient(params))

    def length(tree: object) -> float:
        return math.sqrt(float(total(jax.tree.map(np.square, tree))))

    return {
        part: (
            float(of.trace),
            length(jax.tree.map(np.subtract, of.mean, exact[part]))
            / max(length(exact[part]), 1e-30),
        )
        for part, of in moments.items()
    }

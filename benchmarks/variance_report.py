"""Pictures of the variance benchmark: a page's, of each kind of latents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks.variance_page import by_estimator
from benchmarks.variance_record import (
    ROUNDING,
    at_budgets,
    budgets_of,
    last_points,
    mean_log_ratio,
    of_score_function,
    rows_of,
)
from jaxgen.pictures import intervals

if TYPE_CHECKING:
    from matplotlib.figure import Figure


Interval: TypeAlias = tuple[float, float, float]


def pictures(record: Mapping[str, Any]) -> dict[str, Figure]:
    """Returns for each kind of latents the intervals at the first budget, problem by problem.

    An arrow to the left stands for less than `ROUNDING`.

    Example:
      pictures(record)["estimators-bits"].savefig("bits.png")
    """
    shown: dict[str, dict[str, dict[str, Interval]]] = {}
    for (problem, part), rows in last_points(rows_of(record)).items():
        name = problem if part == "params" else f"{problem}, {part}"
        budgets = budgets_of(record["config"], problem)
        of_part = shown.setdefault(record["kinds"][problem], {}).setdefault(name, {})
        for estimator, of in by_estimator(rows).items():
            row = next(iter(at_budgets(of, budgets).values()))
            label = estimator if row.unbiased else f"{estimator} (biased)"
            of_part[label] = unless_rounding(of_score_function(rows, row))
    return {
        f"estimators-{kind.lower()}": intervals(
            _best_first(of),
            xlabel="variance x evaluations, of the score function's",
            title=f"Latents that are {kind}, first budget: 95% intervals",
        )
        for kind, of in shown.items()
    }


def unless_rounding(interval: Interval) -> Interval:
    """Returns the interval, or zeros of one below `ROUNDING`, which `intervals` draws as an arrow.

    Example:
      unless_rounding((1e-15, 2e-15, 3e-15))  # (0.0, 0.0, 0.0)
    """
    return interval if interval[1] >= ROUNDING else (0.0, 0.0, 0.0)


def _best_first(kinds: Mapping[str, Mapping[str, Interval]]) -> dict[str, dict[str, Interval]]:
    """The same in the order of the mean of log ratios."""
    ratios: dict[str, list[float]] = {}
    for of in kinds.values():
        for name, (_, ratio, _) in of.items():
            ratios.setdefault(name, []).append(ratio)
    order = sorted(ratios, key=lambda name: mean_log_ratio(ratios[name]))
    return {kind: {name: of[name] for name in order if name in of} for kind, of in kinds.items()}

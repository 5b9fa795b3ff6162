"""Pictures of the variance benchmark: a page's, of each kind of latents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.variance_page import by_estimator
from benchmarks.variance_record import at_budgets, last_points, of_score_function, rows_of
from jaxgen.pictures import intervals

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def pictures(record: Mapping[str, Any]) -> dict[str, Figure]:
    """Returns for each kind of latents the intervals at the first budget, problem by problem.

    Example:
      pictures(record)["estimators-bits"].savefig("bits.png")
    """
    budgets = record["config"]["evaluations"]
    shown: dict[str, dict[str, dict[str, tuple[float, float, float]]]] = {}
    for (problem, part), rows in last_points(rows_of(record)).items():
        name = problem if part == "params" else f"{problem}, {part}"
        of_part = shown.setdefault(record["kinds"][problem], {}).setdefault(name, {})
        for estimator, of in by_estimator(rows).items():
            row = next(iter(at_budgets(of, budgets).values()))
            label = estimator if row.unbiased else f"{estimator} (biased)"
            of_part[label] = of_score_function(rows, row)
    return {
        f"estimators-{kind.lower()}": intervals(
            of,
            xlabel="variance at equal evaluations, of the score function's",
            title=f"Latents that are {kind}, {budgets[0]} evaluations: 95% intervals",
        )
        for kind, of in shown.items()
    }

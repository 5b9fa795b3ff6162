"""The rows of the variance benchmark as JSON and back, and what pages ask of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax

from jaxgen.certify import TOYS, Problem, Row, relative_variance

KINDS = {
    "Bernoulli": "bits",
    "OneHotCategorical": "categories",
    "Categorical": "categories",
    "Normal": "Gaussians",
}
"""What the latents of a q are, by the name of its innermost distribution."""


def kind_of(problem: Problem) -> str:
    """Returns what a problem's latents are: "bits", "categories", "Gaussians"; or q's own name.

    Example:
      kind_of(toy(0.45))  # 'bits'
    """
    q: Any = problem.target(problem.params, problem.batch(jax.random.key(0))[0])[1]
    while hasattr(q, "distribution"):
        q = q.distribution  # of what stands in `Independent`
    return KINDS.get(type(q).__name__, type(q).__name__)


def to_record(rows: Sequence[Row]) -> dict[str, Any]:
    """Returns columns and lines of plain numbers, of five significant digits.

    Example:
      to_record(rows)["columns"][:2]  # ['problem', 'estimator']
    """
    lines = [[_plain(value) for value in row] for row in rows]
    return {"columns": list(Row._fields), "rows": lines}


def rows_of(record: Mapping[str, Any]) -> list[Row]:
    """Returns the rows that `to_record` was given.

    Example:
      rows_of(json.loads(Path("benchmarks/results/estimators.json").read_text()))
    """
    return [
        Row._make(math.inf if value is None else value for value in line) for line in record["rows"]
    ]


def last_points(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Returns the rows at the last point of each problem, by problem and part of the params."""
    last = {row.problem: row.step for row in rows}
    parts: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.step == last[row.problem]:
            parts.setdefault((row.problem, row.subtree), []).append(row)
    return parts


def budgets_of(config: Mapping[str, Any], problem: str) -> tuple[int, ...]:
    """Returns the evaluations of f that the configuration grants on a problem.

    Example:
      budgets_of(record["config"], "toy_0.45")  # (2, 4, 8, 16)
    """
    toys = config["evaluations"]
    return tuple(toys if problem in TOYS else config.get("network_evaluations", toys))


def at_budgets(rows: Sequence[Row], budgets: Sequence[int]) -> dict[int, Row]:
    """Returns an estimator's row at each budget that pays for it; the dearest pay for one alone.

    Example:
      at_budgets(rows, (2, 4, 8, 16))[8].evaluations  # 8, or less
    """
    paid: dict[int, Row] = {}
    for budget in budgets:
        within = [row for row in rows if row.evaluations <= budget]
        if within:
            paid[budget] = max(within, key=lambda row: row.evaluations)
    return paid or {budgets[0]: rows[0]}


def of_score_function(rows: Sequence[Row], row: Row) -> tuple[float, float, float]:
    """Returns the row's variance x evaluations over the score function's, with its interval.

    The score function's is the same at every budget: it is that of the first, against which it has
    no interval itself.
    """
    plain = next(other for other in rows if other.estimator == "score_function")
    return (1.0, 1.0, 1.0) if row == plain else relative_variance(row, plain)


ROUNDING = 1e-6
"""Of the score function's variance: what is below it says nothing but how floats are rounded."""


def mean_log_ratio(ratios: Iterable[float]) -> float:
    """Returns the mean of the logarithms, which rank estimators; the least is `ROUNDING`."""
    logs = [math.log(max(ratio, ROUNDING)) for ratio in ratios]
    return sum(logs) / len(logs)


def in_lines(record: Mapping[str, Any]) -> str:
    """Returns the record as JSON, a line for each row.

    Example:
      in_lines({"rows": [[1, 2], [3, 4]]})
    """
    rows = ",\n".join(json.dumps(line) for line in record["rows"])
    rest = json.dumps({k: v for k, v in record.items() if k != "rows"}, indent=1)
    return f'{rest[:-2]},\n "rows": [\n{rows}\n ]\n}}\n'


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value

"""The page of gradient estimators: variance beside the score function's, bias and price."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.markdown import head, short, table, where
from benchmarks.variance_record import (
    ROUNDING,
    at_budgets,
    budgets_of,
    last_points,
    mean_log_ratio,
    of_score_function,
    rows_of,
)
from jaxgen.certify import TOYS, Row

LEGEND = """
Every number of variance is variance x evaluations of f, over the score function's: below one is
better, at whatever budget. In parentheses its 95% interval. Each column is a budget: evaluations of
f per datapoint and gradient; one that no budget pays for stands in the first, with its own number.
*Biased* estimators are in italics, with the length of their bias in percent of the gradient's; of
the others stands the largest bias in standard errors, |z|. What is below 1e-6, an arrow in a
picture, is rounding. "ms" is of one gradient of the whole batch at the first budget, "of time"
variance x seconds over the score function's. Measured were the problems below, with one seed: what
learns, a baseline or a control variate, was trained once.
"""


def variance_page(record: Mapping[str, Any]) -> str:
    """Returns the page of what `benchmarks.estimator_variance` measured.

    Example:
      variance_page(json.loads(Path("benchmarks/results/estimators.json").read_text()))
    """
    parts = last_points(rows_of(record))
    config = record["config"]
    lines = [*head("estimator_variance"), " ".join(LEGEND.split()), ""]
    lines += where(record["environment"])
    counts = [f"{config['draws']:,} gradients in each row of a toy problem"]
    if networks := [name for name in record["kinds"] if name not in TOYS]:
        training = f"{config['dataset']} after {max(config['steps']):,} steps"
        counts.append(f"{config['network_draws']:,} of {', '.join(networks)}, on {training}")
    minutes = record["cpu_seconds"] / 60
    lines += [f"{'; '.join(counts)}. It took {minutes:.0f} minutes of CPU.", ""]
    for kind in dict.fromkeys(record["kinds"].values()):
        mine = {k: rows for k, rows in parts.items() if record["kinds"][k[0]] == kind}
        lines += [f"## Latents that are {kind}", "", *overview(mine, config)]
        lines += [f"![95% intervals](pictures/estimators-{kind.lower()}.png)", ""]
        for (problem, part), rows in mine.items():
            title = problem if part == "params" else f"{problem}: gradient of {part}"
            budgets = budgets_of(config, problem)
            lines += [f"### {title} ({rows[0].point})", "", *of_problem(rows, budgets)]
    return "\n".join(lines)


def by_estimator(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Returns the rows of each estimator."""
    names: dict[str, list[Row]] = {}
    for row in rows:
        names.setdefault(row.estimator, []).append(row)
    return names


def overview(
    parts: Mapping[tuple[str, str], Sequence[Row]], config: Mapping[str, Any]
) -> list[str]:
    """Returns a table of all problems of one kind at the first budget, the best in bold."""
    columns: list[str] = []
    ratios: dict[str, dict[str, tuple[float, bool]]] = {}
    for (problem, part), rows in parts.items():
        columns.append(problem if part == "params" else f"{problem}, {part}")
        for name, of in by_estimator(rows).items():
            row = next(iter(at_budgets(of, budgets_of(config, problem)).values()))
            ratio = of_score_function(rows, row)[1]
            ratios.setdefault(name, {})[columns[-1]] = (ratio, row.unbiased)
    best = {
        column: min(
            (of[column][0] for of in ratios.values() if column in of and of[column][1]),
            default=math.nan,
        )
        for column in columns
    }

    def rank(name: str) -> float:
        return mean_log_ratio(ratio for ratio, _ in ratios[name].values())

    lines = []
    for name in sorted(ratios, key=rank):
        of = ratios[name]
        biased = not all(unbiased for _, unbiased in of.values())
        cells = [""] * len(columns)
        for i, column in enumerate(columns):
            if column in of:
                ratio, _ = of[column]
                shown = _ratio(ratio)
                cells[i] = f"**{shown}**" if ratio <= max(best[column], ROUNDING) else shown
        lines.append([f"*{name}*" if biased else name, *cells])
    return table(["at the first budget", *columns], lines)


def of_problem(rows: Sequence[Row], budgets: Sequence[int]) -> list[str]:
    """Returns the table of one problem's part: budget by budget, bias, price."""
    plain = next(row for row in rows if row.estimator == "score_function")
    lines = []
    for name, of in by_estimator(rows).items():
        paid = at_budgets(of, budgets)
        first = next(iter(paid.values()))
        of_time = first.variance_x_time / (plain.variance_x_time or math.inf)
        bias = f"{short(100 * first.bias)}%" if not first.unbiased else f"z {_worst_z(of):.1f}"
        lines.append(
            [
                name if first.unbiased else f"*{name}*",
                *(_cell(rows, paid.get(budget), budget) for budget in budgets),
                bias,
                1e3 * first.seconds_per_gradient,
                of_time,
                of_score_function(rows, first)[1],
            ]
        )
    lines.sort(key=lambda line: line[-1])
    columns = ["", *(f"E = {budget}" for budget in budgets), "bias", "ms", "of time"]
    return table(columns, [line[:-1] for line in lines])


def _worst_z(rows: Sequence[Row]) -> float:
    return max(row.worst_z for row in rows)


def _cell(rows: Sequence[Row], row: Row | None, budget: int) -> str:
    if row is None:
        return ""
    low, value, high = of_score_function(rows, row)
    dearer = f" at E = {row.evaluations}" if row.evaluations > budget else ""
    if value < ROUNDING:
        return f"{_ratio(value)}{dearer}"
    return f"{short(value)} ({short(low)} to {short(high)}){dearer}"


def _ratio(ratio: float) -> str:
    return short(ratio) if ratio >= ROUNDING else "<1e-6"

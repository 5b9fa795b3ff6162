"""The page of paper cards: what is claimed, what is measured, and whether it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.markdown import head, short, table, where
from jaxgen.bibliography import publication

TOLERANCE = 0.15
"""How far a slope may be from the paper's."""


def papers_page(record: Mapping[str, Any]) -> str:
    """Returns the page of a record of `benchmarks.paper_cards`.

    Example:
      papers_page(json.loads(Path("benchmarks/results/papers.json").read_text()))
    """
    orders = [
        [
            _linked(of["paper"]),
            f"{of['quantity']}: {of['lower']} < {of['higher']}",
            _where(of),
            ", ".join(_ratio(*ratio) for ratio in of["ratios"]),
            f"**{verdict(of['ratios'])}**",
            of["settings"],
        ]
        for of in record["orders"]
    ]
    slopes = [
        [
            _linked(of["paper"]),
            of["what"],
            of["expected"],
            ", ".join(f"{slope:.2f}" for slope in of["measured"]),
            f"**{slope_verdict(of['measured'], of['expected'])}**",
            of["settings"],
        ]
        for of in record["slopes"]
    ]
    said = ("paper", "claim", "on", "ratio, seed by seed", "", "settings")
    lines = [*head("paper_cards"), "## Orders at equal evaluations", "", *table(said, orders)]
    lines += ["In parentheses 95% intervals.", ""]
    said = ("paper", "of", "exponent of K", "measured, seed by seed", "", "settings")
    lines += ["## Slopes", "", *table(said, slopes)]
    config = record["config"]
    lines += [f"The belief network is of {config['dataset']}, after {config['steps']:,} steps.", ""]
    return "\n".join(lines + where(record["environment"]))


def verdict(ratios: Sequence[Sequence[float]]) -> str:
    """Returns whether an order holds by the intervals of all seeds.

    Example:
      verdict([(0.8, 0.9, 0.95), (0.7, 0.8, 0.9)])  # 'holds'
    """
    if all(high < 1 for _, _, high in ratios):
        return "holds"
    return "does not hold" if all(low > 1 for low, _, _ in ratios) else "undecided"


def slope_verdict(measured: Sequence[float], expected: float) -> str:
    """Returns whether a slope holds for all seeds.

    Example:
      slope_verdict([-0.48, -0.51], -0.5)  # 'holds'
    """
    near = [abs(slope - expected) <= TOLERANCE for slope in measured]
    return "holds" if all(near) else "undecided" if any(near) else "does not hold"


def _ratio(low: float, value: float, high: float) -> str:
    return f"{short(value)} ({short(low)} to {short(high)})"


def _where(order: Mapping[str, Any]) -> str:
    part = "" if order["part"] == "params" else f", {order['part']}"
    return f"{order['problem']}{part}, E = {order['evaluations']}"


def _linked(paper: str) -> str:
    return f"[{paper}]({publication(paper).link})"

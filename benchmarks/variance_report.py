"""Rows of the variance benchmark as files and pictures."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxgen.certify import Row
from jaxgen.pictures import cost_bars, variance_curves
from jaxgen.workbench import to_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_rows(rows: Sequence[Row], about: Mapping[str, Any], out: Path) -> None:
    """Writes rows.csv, rows.jsonl and about.json; numbers with six significant digits."""
    plain = [{k: _short(v) for k, v in row._asdict().items()} for row in rows]
    with open(out / "rows.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, Row._fields)
        writer.writeheader()
        writer.writerows(plain)
    (out / "rows.jsonl").write_text("".join(to_json(row) + "\n" for row in plain), encoding="utf-8")
    (out / "about.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def pictures(rows: Sequence[Row]) -> dict[str, Figure]:
    """Returns for each problem's first part its variance along the trajectory, and its cost."""
    figures = {}
    for problem, group in groupby(rows, lambda row: row.problem):
        mine = list(group)
        part = mine[0].subtree
        mine = [row for row in mine if row.subtree == part]
        if len({row.step for row in mine}) > 1:
            figures[f"{problem}-variance"] = variance_curves(mine)
        figures[f"{problem}-cost"] = cost_bars(mine)
    return figures


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value

"""The page of `benchmarks.device_estimates`: programs, targets and numbers of devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.markdown import head, table, where

COLUMNS = ("program", "batch", "devices", "us a step", "roofline us", "share of the peak")


def device_page(result: Mapping[str, Any]) -> str:
    """Returns the page of the estimates, which are no measurements.

    Example:
      device_page(json.loads(Path("device_estimates.json").read_text()))
    """
    rows = [
        [
            row["program"],
            row["batch_size"],
            f"{row['devices']} {row['target']}",
            1e6 * row["seconds"],
            1e6 * row["roofline_seconds"],
            row["share_of_peak"],
        ]
        for row in result["rows"]
    ]
    lines = [*head("device_estimates"), *table(COLUMNS, rows), "Compiled, not run.", ""]
    return "\n".join(lines + where(result["environment"]))

"""What every page of results is written with: its head, tables, and where it was measured."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def head(benchmark: str) -> list[str]:
    """Returns the lines that a benchmark's own docstring gives: the question, and what is done.

    Example:
      head("training_speed")[0]  # '# How long does an epoch of a VAE take ...?'
    """
    source = (Path(__file__).parent / f"{benchmark}.py").read_text("utf-8")
    question, _, rest = (ast.get_docstring(ast.parse(source)) or "").partition("\n\n")
    lines = []
    for paragraph in filter(None, rest.split("\n\n")):
        block = [line.removeprefix("  ") for line in paragraph.split("\n")]
        command = paragraph.startswith("  ")
        lines += ["```bash", *block, "```", ""] if command else [" ".join(block), ""]
    return [f"# {' '.join(question.split())}", "", *lines]


def where(environment: Mapping[str, Any]) -> list[str]:
    """Returns a paragraph of the device, the load and the versions that numbers belong to."""
    versions = ", ".join(f"{name} {of}" for name, of in environment["versions"].items())
    threads = environment["threads"]
    cores = f"{threads} thread{'s' * (threads > 1)} of {environment['processor']}"
    device = cores if environment["platform"] == "cpu" else environment["device"]
    load = f"load average {environment['load_average']:.1f} at the start"
    flags = environment.get("xla_flags")
    options = f"; XLA_FLAGS={flags}" if flags else ""
    return [f"On {device}, {load}; Python {environment['python']}, {versions}{options}.", ""]


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Returns a table, its first column to the left and the others to the right.

    Floats have three significant digits.

    Example:
      table(["", "s"], [["jaxgen", 0.12345]])[2]  # '| jaxgen | 0.123 |'
    """
    columns = list(columns)
    marks = ["---"] + ["---:"] * (len(columns) - 1)
    lines = [columns, marks, *rows]
    return [*(f"| {' | '.join(map(_cell, line))} |" for line in lines), ""]


def short(number: float) -> str:
    """Returns three significant digits, in powers of ten where they would be long."""
    plain = f"{number:.3g}"
    if "e" in plain and 1e-3 <= abs(number) < 1e7:
        return f"{float(plain):,.0f}"
    return plain


def _cell(value: object) -> str:
    return short(value) if isinstance(value, float) else str(value)

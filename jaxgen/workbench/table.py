"""The numbers at the end, in a table that also reads well in a pipe."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Prints a table on stdout: numbers to the right, floats with five significant digits.

    Args:
      columns: headings, with units.
      rows: one entry per column each.
    Example:
      >>> print_table("vae on digits", ["quantity", "test", "unit"], [["ELBO", -27.31, "nats"]])
    """
    rows = [list(row) for row in rows]
    table = Table(title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE)
    for i, heading in enumerate(columns):
        numeric = all(isinstance(row[i], int | float) for row in rows if row[i] != "")
        table.add_column(Text(heading), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(f"{x:.5g}" if isinstance(x, float) else str(x)) for x in row))
    console = Console()
    if not (console.is_terminal or console.is_jupyter):
        console.width = 1000  # nothing is folded in a pipe, which has no width
    console.print(table)

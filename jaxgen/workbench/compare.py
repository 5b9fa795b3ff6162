"""`python -m experiments compare RUN RUN...`: tables of the runs, a page or a picture of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from jaxgen.workbench.compared_curves import compared_figure, compared_page
from jaxgen.workbench.compared_runs import compared_runs
from jaxgen.workbench.config import Directory
from jaxgen.workbench.flags import NoFlags, parse
from jaxgen.workbench.run_files import read_run
from jaxgen.workbench.table import print_table

COMPARES = "Runs side by side: flags that differ, numbers, and the curves that they share."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """What `python -m experiments compare` is told.

    Raises:
      ValueError: there are no runs; the output is of another kind or has no folder.
    """

    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN...")] = ()
    """Run directories, of one recipe or of several."""
    output: Directory = None
    """A file to draw the shared curves in: a page for a browser (.html) or a picture (.png)."""

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("runs: got none, expected the directories of one run or more")
        if self.output is not None:
            path = Path(self.output)
            if path.suffix not in (".html", ".png"):
                raise ValueError(f"output: got {self.output!r}, expected a name in .html or .png")
            if not path.parent.is_dir():
                raise ValueError(f"output: got {self.output!r}, expected it in a folder")


def compare(arguments: Sequence[str], command: str) -> None:
    """Prints tables of the runs and what they lack, and writes the output.

    Args:
      arguments: the words after the command, as of `Comparison`.
      command: as usage shows it.
    Raises:
      SystemExit: help was asked for (code 0), or a flag is unknown (2).
      ValueError: an argument is refused, or one of the runs is none or malformed; nothing is
        printed then.
    Example:
      >>> from jaxgen.workbench.compare import compare
      >>> compare(
      ...     ["runs/a", "runs/b", "--output", "runs/both.html"], "python -m experiments compare"
      ... )
    """
    asked, _ = parse(Comparison, arguments, NoFlags, command=command, description=COMPARES)
    of_all = compared_runs([read_run(Path(run)) for run in asked.runs])
    for table in of_all.tables:
        print_table(*table)
    print(*of_all.notes, sep="\n", end="\n" if of_all.notes else "")
    if asked.output is None:
        return
    path = Path(asked.output)
    if path.suffix == ".png" and not of_all.curves:
        print(f"nothing is drawn: {path}")
        return
    from jaxgen.workbench.run_directory import replacing  # not before: tables need no JAX

    with replacing(path) as temporary:
        if path.suffix == ".html":
            temporary.write_text(compared_page(of_all), encoding="utf-8")
        else:
            compared_figure(of_all).savefig(temporary, format="png")
    print(f"written: {path}")

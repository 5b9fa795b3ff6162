"""What sets runs apart: flags, numbers at the end, and the ends of the curves that they share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jaxgen.workbench.config import NOT_COMPARED_ON_RESUME
from jaxgen.workbench.page import flattened
from jaxgen.workbench.run_files import Curve, RunFiles

PLACES = NOT_COMPARED_ON_RESUME - {"devices"}
"""Fields that say where a run took place; devices bear upon its seconds."""


class ComparedRuns(NamedTuple):
    """All there is to say of several runs, in letters that a terminal only shows.

    Attributes:
      names: of the runs.
      notes: sentences of what a reader should know.
      tables: each a title, columns and rows, as `print_table` takes them.
      curves: by name, those that two runs or more have; for every run its own, or none.
    """

    names: list[str]
    notes: list[str]
    tables: list[tuple[str, list[str], list[list[Any]]]]
    curves: list[tuple[str, list[Curve]]]


def compared_runs(runs: Sequence[RunFiles]) -> ComparedRuns:
    """Returns the tables of what differs, of the results and of each curve's ends.

    Which end of a curve is its best the runs do not say: a bound rises and a loss falls.
    """
    names, notes = _names(runs), []
    if len(runs) == 1:
        notes.append("There is one run alone, and nothing to compare it with.")
    if len({frozenset(run.config) for run in runs}) > 1:
        notes.append("The runs have different flags: they are of several recipes or versions.")
    for name, run in zip(names, runs, strict=True):
        notes += [f"{name} has no records of epochs."] if not run.curves else []
        notes += [f"{name} has no result yet."] if not run.result else []
    configs = [flattened(run.config) for run in runs]
    differing = [
        [field, *texts]
        for field, texts in _rows(configs)
        if len(set(texts)) > 1 and field.partition(".")[0] not in PLACES
    ]
    results = sorted(
        _rows([_numbers(run.result) for run in runs]), key=lambda row: row[0].endswith("seconds")
    )
    shared = {
        name: [curve or () for curve in of]
        for name, of in _rows([run.curves for run in runs])
        if sum(map(bool, of)) > 1 and not name.endswith("seconds")
    }
    if not shared and len(runs) > 1:
        notes.append("The runs share no curve.")
    held_out = {name: of for name, of in shared.items() if "validation_" in name} or shared
    ends = [
        [f"{name}, {end}", *(_end(curve, end) for curve in of)]
        for name, of in held_out.items()
        for end in ("last", "lowest", "highest")
    ]
    every = (
        ("Asked differently", "flag", differing),
        ("At the end", "number", [[name, *row] for name, row in results]),
        ("By epoch", "curve", ends),
    )
    tables = [(title, [head, *names], rows) for title, head, rows in every if rows]
    return _printable(ComparedRuns(names, notes, tables, [*shared.items()]))


def _names(runs: Sequence[RunFiles]) -> list[str]:
    """Returns the last part of each path, or the paths where two have the same."""
    short = [run.path.absolute().name for run in runs]
    return short if len({*short}) == len(short) else [str(run.path) for run in runs]


def _rows(columns: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
    """Yields every name of the columns with what each has for it, "" where it has nothing."""
    for name in dict.fromkeys(name for column in columns for name in column):
        yield name, [column.get(name, "") for column in columns]


def _numbers(values: Mapping[str, Any], above: str = "") -> dict[str, int | float]:
    found: dict[str, int | float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _numbers(value, f"{above}{name}.")
        elif type(value) in (int, float):
            found[above + name] = value
    return found


def _end(curve: Curve, end: str) -> str:
    if not curve:
        return ""
    if end == "last":
        epoch, value = curve[-1]
    else:
        epoch, value = (min if end == "lowest" else max)(curve, key=lambda point: point[1])
    return f"{value:.5g} at {epoch}"


def _printable(of: Any) -> Any:
    """Returns the same without what a terminal would take for a command."""
    if isinstance(of, str):
        return "".join(letter if letter.isprintable() else "?" for letter in of)
    if isinstance(of, ComparedRuns):
        return ComparedRuns(*map(_printable, of))
    return type(of)(map(_printable, of)) if isinstance(of, list | tuple) else of

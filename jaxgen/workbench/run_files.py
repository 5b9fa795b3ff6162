"""What the files of a run say, read as a stranger's: JSON and nothing else, or refused by name."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

Curve = tuple[tuple[int, float], ...]
"""Epochs and values, without those that were not finite."""
MAX_BYTES = 256 * 2**20
"""Of one file: what is larger is no run's."""
MAX_DEPTH = 32
"""Of objects and lists within each other."""


class RunFiles(NamedTuple):
    """A run as its directory shows it.

    Attributes:
      path: of the directory.
      config: what was asked, by the names of the flags.
      result: the numbers at the end; empty before it.
      curves: of a training, or of several by `PART/name`; of one epoch too.
    """

    path: Path
    config: Mapping[str, Any]
    result: Mapping[str, Any]
    curves: Mapping[str, Curve]


def read_run(path: Path) -> RunFiles:
    """Returns what a run directory holds; a last record torn by a kill is left out.

    Raises:
      ValueError: there is no run, or one of its files is not as a run writes it; the file, and of
        records the line, are named.
    Example:
      >>> from jaxgen.workbench.run_files import read_run
      >>> read_run(folder.path).config["batch_size"]
      50
    """
    if not (path / "config.json").is_file():
        raise ValueError(f"runs: got {str(path)!r}, expected a run directory, with a config.json")
    config = _object(path / "config.json")
    result = _object(path / "result.json") if (path / "result.json").exists() else {}
    curves: dict[str, Curve] = {}
    for records in sorted(path.rglob("metrics.jsonl")):
        part = records.parent.relative_to(path).as_posix()
        lead = "" if part == "." else f"{part}/"
        curves |= {lead + name: points for name, points in _curves(records).items()}
    return RunFiles(path, config, result, curves)


def _curves(path: Path) -> dict[str, Curve]:
    curves: dict[str, list[tuple[int, float]]] = {}
    lines = _content(path).splitlines(keepends=True)
    for epoch, line in enumerate((line for line in lines if line.endswith(b"\n")), 1):
        where = f"{path}, line {epoch}"
        record = _parsed(line, where)
        told = record.pop("epoch", epoch)
        if type(told) is not int or told != epoch:
            _refuse(where, f"the epoch {str(told)[:20]!r}", f"{epoch}, the number of the line")
        for name, value in record.items():
            if type(value) in (int, float):
                curves.setdefault(name, []).append((epoch, float(value)))
    return {name: tuple(points) for name, points in curves.items()}


def _object(path: Path) -> dict[str, Any]:
    return _parsed(_content(path), str(path))


def _content(path: Path) -> bytes:
    if not path.is_file():  # such as a pipe, which would be waited for
        _refuse(str(path), "no regular file", "one")
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            _refuse(str(path), f"{size} bytes", f"{MAX_BYTES} at most")
        content = path.read_bytes()
    except OSError as error:
        _refuse(str(path), f"no access ({error.strerror})", "a file that can be read")
    return content


def _parsed(content: bytes, where: str) -> dict[str, Any]:
    try:
        values = json.loads(content.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        _refuse(where, f"no JSON ({str(error)[:60]})", "an object")
    if not isinstance(values, dict):
        _refuse(where, f"JSON of a {type(values).__name__}", "an object")
    below = [(1, values)]
    while below:
        depth, value = below.pop()
        inner = value.values() if isinstance(value, dict) else value
        if isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                _refuse(where, "objects within objects", f"{MAX_DEPTH} deep at most")
            below += [(depth + 1, of) for of in inner]
        elif isinstance(value, int | float) and not _is_finite(value):
            _refuse(where, f"the number {str(value)[:20]}", "one that a float holds, or null")
    return values


def _is_finite(value: int | float) -> bool:
    """JSON may write 1e999, and integers that no float holds."""
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _no_number(token: str) -> NoReturn:
    raise ValueError(f"{token} is no number")


def _refuse(where: str, got: str, expected: str) -> NoReturn:
    raise ValueError(f"runs: {where}: got {got}, expected {expected}")

"""How every timing benchmark ends: ratios and caveats on the terminal, the numbers in a file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from jaxgen.workbench import Count, Directory, check_fields


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimingConfig:
    """What every timing benchmark is told."""

    rounds: Count = 9
    """Counted rounds of each contestant."""
    out: Directory = None
    """Directory for NAME_PLATFORM.json, the numbers with the device and the versions."""

    def __post_init__(self) -> None:
        check_fields(self)


def print_caveats(result: dict[str, Any]) -> None:
    """Prints the ratios of the times, and what the reader must know to believe them.

    Args:
      result: with its `environment`; `ratios` and `absent` where there are any.
    Example:
      print_caveats({"environment": environment(()), "absent": ["torch"]})
    """
    for name, spread in result.get("ratios", {}).items():
        print("{}: {of_medians:.3f} (rounds: {min:.3f} to {max:.3f})".format(name, **spread))
    load = result["environment"]["load_average"]
    if load > 1:
        print(f"the machine had other work: load average {load:.1f} at the start")
    for name in result.get("absent", ()):
        print(f"{name}: not installed, left out")


def write_record(name: str, result: dict[str, Any], out: str | None) -> None:
    """Writes NAME_PLATFORM.json into the directory `out`, if there is one.

    Raises:
      ValueError: `out` cannot be a directory.
    """
    if out is None:
        return
    path = directory(out) / f"{name}_{result['environment']['platform']}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {path}")


def directory(out: str) -> Path:
    """Returns `out`, which is made if it is not there.

    Raises:
      ValueError: it cannot be a directory.
    """
    path = Path(out)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"out: got {path}, expected a directory ({error.strerror})") from error
    return path

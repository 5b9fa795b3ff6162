"""The page of a timing benchmark: ratios with their spread, seconds, and where it was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.markdown import head, table, where


def timing_page(benchmark: str, result: Mapping[str, Any]) -> str:
    """Returns the page of a record that `benchmarks.record.write_record` wrote.

    Example:
      timing_page("training_speed", json.loads(Path("training_speed_cpu.json").read_text()))
    """
    ratios = [
        [name, of["median"], f"{of['lower_quartile']:.3g} to {of['upper_quartile']:.3g}"]
        for name, of in result["ratios"].items()
    ]
    seconds = [
        [name, *(of[k] for k in ("median", "min", "max", "compile")), len(of["rounds"])]
        for name, of in _timings(result["seconds"])
    ]
    lines = head(benchmark)
    lines += [
        "## Ratios of seconds",
        "",
        "Below one, the first is faster; taken within a round.",
        "",
    ]
    lines += table(["", "median", "quartiles of the rounds"], ratios)
    lines += ["## Seconds", ""]
    lines += table(["", "median", "least", "most", "compilation", "rounds"], seconds)
    lines += where(result["environment"])
    if result.get("absent"):
        lines += [f"Not installed, and left out: {', '.join(result['absent'])}.", ""]
    return "\n".join(lines)


def _timings(seconds: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Mapping]]:
    """The timings of all contestants, of a task within it by `task: contestant`."""
    for name, of in seconds.items():
        if "median" in of:
            yield above + name, of
        else:
            yield from _timings(of, f"{above}{name}: ")

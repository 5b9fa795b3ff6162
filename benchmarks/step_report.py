"""How long a step takes beside other programs': measured and printed alike for every game."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from benchmarks.record import print_caveats
from benchmarks.timing import environment, interleaved, ratio
from jaxgen.workbench import print_table


def measure_steps(
    contestants: Mapping[str, Callable[[int], Any]],
    steps: int,
    rounds: int,
    *,
    peers: Iterable[str],
    packages: Iterable[str],
    sizes: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns the times of a call of each, their ratios to jaxgen's and the losses.

    Args:
      contestants: by name, `jaxgen` among them; each call is of `steps` steps.
      peers: names of all the others, of which some may be absent.
      sizes: of the work, to stand in the record.
    Raises:
      ValueError: there is no round.
    """
    before = environment(packages)
    timings = interleaved(contestants, rounds)
    present = [name for name in peers if name in timings]
    return {
        "environment": before,
        "steps": steps,
        **sizes,
        "seconds": {name: timing.summary() for name, timing in timings.items()},
        "milliseconds_per_step": {
            name: 1000 * timing.median / steps for name, timing in timings.items()
        },
        "ratios": {f"jaxgen / {name}": ratio(timings["jaxgen"], timings[name]) for name in present},
        "absent": [name for name in peers if name not in timings],
    }


def report_steps(result: dict[str, Any], work: str, loss: str) -> None:
    """Prints the times as a table, then the ratios.

    Args:
      work: that is measured, the title's beginning.
      loss: whose last value stands beside the times.
    """
    rows = [
        [
            name,
            *(1000 * seconds[k] / result["steps"] for k in ("median", "min", "max")),
            seconds["answers"][-1],
        ]
        for name, seconds in result["seconds"].items()
    ]
    where = result["environment"]
    print_table(
        f"{work}, {result['steps']} steps a round, {where['threads']} threads of "
        f"{where['processor']}",
        ["", "median ms", "min ms", "max ms", loss],
        rows,
    )
    print_caveats(result)

"""How far a run is: a bar with rate and time left on a terminal, plain lines in a pipe."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Literal, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, Task, TextColumn

Loudness = Literal["quiet", "usual", "verbose"]
loudness: ContextVar[Loudness] = ContextVar("loudness", default="usual")
"""Quiet: nothing is shown. Verbose: every piece of work in a line of its own, on a terminal too.
`begin` sets it, as the flags of the run say."""


class Advance(Protocol):
    """What the block calls after each piece of work."""

    def __call__(self, units: int = 1, message: str = "") -> None:
        """Counts `units` more as done and shows `message` beside them."""
        ...


@contextlib.contextmanager
def progress(
    total: int,
    *,
    unit: str = "epoch",
    title: str = "",
    done: int = 0,
    seconds_between_lines: float = 5.0,
    stream: Any = None,
) -> Iterator[Advance]:
    """Shows progress on `stream` (stderr) while the block runs.

    The rate leaves out the time before the first call, which is mostly compilation.

    Args:
      total: units of work in all.
      unit: what is counted.
      title: comes before the count, to tell one of several from the others.
      done: units that an earlier, interrupted run has behind it.
      seconds_between_lines: the least time between two lines in a pipe; the last always shows.
    Yields:
      `advance(units=1, message="")`.
    Example:
      >>> with progress(100, unit="epoch") as advance:
      ...     advance(1, "elbo -93.1")  # epoch 12/100   3.1 epochs/s   0:00:28 left   elbo -93.1
    """
    output = stream or sys.stderr
    quiet, verbose = loudness.get() == "quiet", loudness.get() == "verbose"
    live = loudness.get() == "usual" and output.isatty() and os.environ.get("TERM") != "dumb"
    bar = Progress(
        BarColumn(bar_width=30),
        TextColumn("{task.fields[status]}", markup=False),
        console=Console(file=output, force_jupyter=False),
        disable=not live,
        get_time=time.monotonic,
        speed_estimate_period=float("inf"),  # an epoch may take longer than any period
    )
    lead = f"{title}: " if title else ""
    bar.add_task("", total=total, completed=done, status=f"{lead}{unit} {done}/{total}")
    (task,) = bar.tasks
    last_line = -float("inf")

    def advance(units: int = 1, message: str = "") -> None:
        nonlocal last_line
        bar.advance(task.id, units)
        status = lead + _status(task, unit, message)
        bar.update(task.id, status=status)
        now = time.monotonic()
        due = verbose or task.completed >= total or now - last_line >= seconds_between_lines
        if due and not live and not quiet:
            print(status, file=output, flush=True)
            last_line = now

    with bar:
        if live:
            bar.console.show_cursor()  # a killed process could not bring a hidden one back
        yield advance


def _status(task: Task, unit: str, message: str) -> str:
    parts = [f"{unit} {task.completed:.0f}/{task.total:.0f}"]
    if task.speed:
        rate, per = (task.speed, f"{unit}s/s") if task.speed >= 1 else (1 / task.speed, f"s/{unit}")
        left = timedelta(seconds=round(((task.total or 0) - task.completed) / task.speed))
        parts += [f"{rate:.3g} {per}", f"{left} left"]
    return "   ".join([*parts, message] if message else parts)

"""Timing side by side: interleaved rounds, medians with their spread, and what machine it was."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxgen.checks import at_least


class Timing(NamedTuple):
    """What one contestant took.

    Attributes:
      first_seconds: the first call, which traces, compiles and runs.
      seconds: each later call, one a round.
      answers: what every call returned, the first included.
    """

    first_seconds: float
    seconds: list[float]
    answers: list[Any]

    @property
    def median(self) -> float:
        """The median of the rounds, in seconds."""
        return statistics.median(self.seconds)

    def summary(self) -> dict[str, Any]:
        """The numbers for a record, in seconds; compilation is the first call less the median."""
        return {
            "median": self.median,
            "min": min(self.seconds),
            "max": max(self.seconds),
            "compile": max(0.0, self.first_seconds - self.median),
            "rounds": self.seconds,
            "answers": self.answers,
        }


def interleaved(contestants: Mapping[str, Callable[[int], Any]], rounds: int) -> dict[str, Timing]:
    """Times every contestant once a round, after one call each that is not counted.

    What slows a shared machine down then slows all of them, and a ratio taken within a round is
    worth more than either of its times. The clock stops when the answer is computed, not when it is
    promised. The order turns by one every round, so that none always follows the same other.

    Args:
      contestants: by name, `index of the call -> answer`.
      rounds: counted calls of each, at least one.
    Raises:
      ValueError: rounds is below one.
    Example:
      timings = interleaved({"ours": ours, "theirs": theirs}, rounds=9)
    """
    rounds = at_least("rounds", rounds, 1)
    names = list(contestants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    answers: dict[str, list[Any]] = {name: [] for name in names}
    for index in range(rounds + 1):
        turn = index % len(names)
        for name in names[turn:] + names[:turn]:
            begun = time.perf_counter()
            answer = jax.block_until_ready(contestants[name](index))
            seconds[name].append(time.perf_counter() - begun)
            answers[name].append(answer)
    return {name: Timing(seconds[name][0], seconds[name][1:], answers[name]) for name in names}


def ratio(numerator: Timing, denominator: Timing) -> dict[str, float]:
    """Returns the ratio of the medians, with the quartiles and extremes of the rounds' own ratios.

    Example:
      ratio(timings["ours"], timings["theirs"])["of_medians"]  # below one: ours is faster
    """
    each = [a / b for a, b in zip(numerator.seconds, denominator.seconds, strict=True)]
    low, middle, high = (
        statistics.quantiles(each, n=4, method="inclusive") if each[1:] else each * 3
    )
    return {
        "of_medians": numerator.median / denominator.median,
        "median": middle,
        "lower_quartile": low,
        "upper_quartile": high,
        "min": min(each),
        "max": max(each),
    }


def environment(packages: Iterable[str]) -> dict[str, Any]:
    """Returns what a number needs beside it to be believed: device, cores, load and versions.

    Args:
      packages: names of distributions; one that is not installed has no entry.
    """
    versions = {}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "device": jax.devices()[0].device_kind,
        "platform": jax.default_backend(),
        "processor": _processor(),
        "threads": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "python": platform.python_version(),
        "versions": versions,
    }


def torch_on_the_same_device() -> None:
    """Sets PyTorch to the device that JAX computes on: the GPU, or all cores of the CPU.

    Call it before a contestant makes its first tensor.
    """
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    if jax.default_backend() == "gpu" and torch.cuda.is_available():
        torch.set_default_device("cuda")


def _processor() -> str:
    """The processor's own name, where Linux tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

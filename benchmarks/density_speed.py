"""How long do a flow's and a MADE's training and sampling take, beside zuko, flowjax and PyTorch?

The work is the same for all; `benchmarks/density_contestants.py` says what it is. Rounds are
interleaved, compilation is apart, and the losses stand beside the times: they must be alike.

  python -m benchmarks.density_speed

Measure on a machine that does nothing else: PyTorch's threads wait for each other in every
operation, so that a second busy program slows it many times more than it slows XLA.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.density_contestants import (
    AUTOREGRESSIVE,
    COUPLING,
    flowjax_flow,
    jaxgen_flow,
    jaxgen_made,
    torch_made,
    zuko_flow,
)
from benchmarks.record import TimingConfig, print_caveats, write_record
from benchmarks.timing import environment, interleaved, ratio
from jaxgen.workbench import main, print_table

PACKAGES = ("jax", "jaxlib", "flax", "optax", "distrax", "flowjax", "zuko", "torch", "numpy")
FLOWS = {"jaxgen": jaxgen_flow, "zuko": zuko_flow, "flowjax": flowjax_flow}
MADES = {"jaxgen": jaxgen_made, "torch": torch_made}
SIZES = {AUTOREGRESSIVE: 64, COUPLING: 8}


def installed(contestants: dict[str, Any]) -> dict[str, Any]:
    """Returns those of `contestants` whose package is here."""
    return {name: make for name, make in contestants.items() if importlib.util.find_spec(name)}


def measure(rounds: int) -> dict[str, Any]:
    """Returns the times of each piece of work, their ratios and the losses.

    Raises:
      ValueError: there is no round.
    """
    rng = np.random.default_rng(0)
    before = environment(PACKAGES)
    works: dict[str, dict[str, Callable[[int], Any]]] = {}
    for kind, size in SIZES.items():
        data = (rng.normal(size=(4096, size)) @ rng.normal(size=(size, size)) / size**0.5).astype(
            np.float32
        )
        made = {name: make(kind, data) for name, make in installed(FLOWS).items()}
        works[f"{kind} flow of {size}, 20 updates"] = {n: train for n, (train, _) in made.items()}
        works[f"{kind} flow of {size}, 256 draws"] = {n: _quiet(d) for n, (_, d) in made.items()}
    bits = (rng.random((4096, 784)) < 0.3).astype(np.float32)
    works["MADE of 784 bits, 20 updates"] = {n: make(bits) for n, make in installed(MADES).items()}
    result: dict[str, Any] = {"environment": before, "seconds": {}, "ratios": {}}
    for work, contestants in works.items():
        timings = interleaved(contestants, rounds)
        result["seconds"][work] = {name: of.summary() for name, of in timings.items()}
        for name, of in timings.items():
            if name != "jaxgen":
                result["ratios"][f"{work}: jaxgen / {name}"] = ratio(timings["jaxgen"], of)
    names = {**FLOWS, **MADES}
    result["absent"] = [name for name in names if not importlib.util.find_spec(name)]
    return result


def _quiet(draw: Callable[[int], Any]) -> Callable[[int], None]:
    """Returns the draws' computation without the draws, which no record need keep."""

    def drawn(index: int) -> None:
        np.asarray(draw(index))  # waits for it

    return drawn


def report(result: dict[str, Any]) -> None:
    """Prints a table for each piece of work, then the ratios."""
    for work, of_each in result["seconds"].items():
        rows = []
        for name, seconds in of_each.items():
            loss = seconds["answers"][-1]
            numbers = [seconds[k] for k in ("median", "min", "max", "compile")]
            rows.append([name, *numbers, "" if loss is None else f"{loss:.2f}"])
        print_table(work, ["", "median s", "min s", "max s", "compile s", "loss, nats"], rows)
    print_caveats(result)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TimingConfig):
    """How often each piece of work is timed."""


def run(config: Config) -> dict[str, Any]:
    """Measures and prints; returns what the file holds."""
    result = measure(config.rounds)
    report(result)
    write_record("density_speed", result, config.out)
    return result


if __name__ == "__main__":
    main(Config, run)

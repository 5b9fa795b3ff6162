"""What would a step of each recipe take on a TPU v5e and on an H100, alone and on eight?

Estimates, of programs that are compiled for devices that are not there; nothing is measured. On a
TPU the time is the compiler's own count of cycles. For an H100, whose compiler counts none, every
kernel takes the time of its bytes, and 2 microseconds at least. On both, what is summed between
devices takes the time of the ring over their links. Beside the time stands its floor: that of all
products at the peak, or of all bytes, whichever is longer (the roofline).

  pip install -e '.[workbench,aot]'
  JAX_PLATFORMS=cpu python -m benchmarks.device_estimates --out benchmarks/results

The share of the peak is that of products by float32 at default precision, which a TPU takes as
bfloat16 and an H100 as tf32. Batches are the recipes' own; eight devices share one.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Annotated, Any

from benchmarks.device_programs import KEY, TRAININGS, lower
from benchmarks.device_targets import TARGETS
from benchmarks.device_traffic import kernels_of_a_step
from benchmarks.flop import flop
from benchmarks.hlo import parse
from benchmarks.record import directory
from benchmarks.timing import environment
from jaxgen.train import data_mesh
from jaxgen.workbench import SEVERAL, Among, Count, Directory, check_fields, main, print_table

LEAST_SECONDS = 2e-6
"""Of a kernel on an H100: about what starting one takes."""
PACKAGES = ("jax", "jaxlib", "libtpu", "jax-cuda13-plugin", "flax", "optax")


def estimate(name: str, target: str, num_devices: int, **sizes: Any) -> dict[str, Any]:
    """Returns the estimates of one step of a training.

    Args:
      name: of `TRAININGS`.
      target: of `TARGETS`.
      num_devices: that share a batch.
      sizes: of the program, such as `batch_size`.
    Raises:
      ValueError: there are fewer devices in the target.
    Example:
      estimate("vae", "v5e", 8)["seconds"]
    """
    device = TARGETS[target]
    mesh = data_mesh(num_devices, devices=device.describe())
    program = TRAININGS[name](mesh, **sizes)
    assert program.update is not None
    compiled: Any = lower(program, mesh).compile()
    kernels = kernels_of_a_step(parse(compiled.as_text()), program.steps)
    memory = compiled.memory_analysis()
    moved, between = (
        sum(kernel.times * getattr(kernel, kind) for kernel in kernels)
        for kind in ("moved", "between")
    )
    products = flop(program.update, program.arguments[0], KEY, program.batch)
    floor = max(products / num_devices / device.flops, moved / device.bandwidth)
    # Every device sends its part of a sum around the ring, and the sum of each part again.
    links = 2 * (num_devices - 1) / num_devices * between / device.link
    seconds = links + sum(
        kernel.times * _seconds(kernel.cycles, kernel.moved, device) for kernel in kernels
    )
    return {
        "program": name,
        "target": target,
        "devices": num_devices,
        "batch_size": program.batch_size,
        "seconds": seconds,
        "roofline_seconds": floor,
        "flop": products,
        "bytes_moved_per_device": moved,
        "bytes_summed_between_devices": between,
        "kernels": sum(kernel.times for kernel in kernels),
        "share_of_peak": products / num_devices / device.flops / seconds,
        "datapoints_per_second": program.batch_size / seconds,
        "temporary_bytes_per_device": memory.temp_size_in_bytes,
    }


def _seconds(cycles: int, moved: int, device: Any) -> float:
    if device.clock is not None:
        return cycles / device.clock
    return max(moved / device.bandwidth, LEAST_SECONDS)


def measure(names: Sequence[str], targets: Sequence[str], counts: Sequence[int]) -> dict[str, Any]:
    """Returns the estimates of every program, target and number of devices."""
    return {
        "estimates_not_measurements": True,
        "environment": environment(PACKAGES),
        "targets": {
            name: {
                key: value
                for key, value in TARGETS[name]._asdict().items()
                if isinstance(value, float | str)
            }
            for name in targets
        },
        "rows": [
            estimate(name, target, count)
            for name in names
            for target in targets
            for count in counts
        ],
    }


def report(result: dict[str, Any]) -> None:
    """Prints a row for each program and number of devices."""
    rows = [
        [
            row["program"],
            row["batch_size"],
            f"{row['devices']} {row['target']}",
            1e6 * row["seconds"],
            1e6 * row["roofline_seconds"],
            row["flop"] / 1e9,
            row["bytes_moved_per_device"] / 2**20,
            row["kernels"],
            100 * row["share_of_peak"],
        ]
        for row in result["rows"]
    ]
    columns = [
        "program", "batch", "devices", "us a step", "roofline us", "GFLOP", "MiB moved", "kernels",
        "% of peak",
    ]  # fmt: skip
    print_table("Estimates of programs compiled for devices that are not there", columns, rows)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Which programs, for which devices."""

    programs: Annotated[tuple[str, ...], Among(TRAININGS), SEVERAL] = tuple(TRAININGS)
    """Trainings of the recipes."""
    targets: Annotated[tuple[str, ...], Among(TARGETS), SEVERAL] = tuple(TARGETS)
    """Kinds of devices."""
    devices: Annotated[tuple[Count, ...], SEVERAL] = (1, 8)
    """How many of them share a batch."""
    out: Directory = None
    """Directory for device_estimates.json."""

    def __post_init__(self) -> None:
        check_fields(self)


def run(config: Config) -> dict[str, Any]:
    """Compiles, estimates and prints; returns what the file holds."""
    result = measure(config.programs, config.targets, config.devices)
    report(result)
    if config.out is not None:
        path = directory(config.out) / "device_estimates.json"
        path.write_text(json.dumps(result, indent=1) + "\n")
        print(f"written to {path}")
    return result


if __name__ == "__main__":
    main(Config, run)

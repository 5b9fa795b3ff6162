"""What does one alternating update need, in memory and time, on 1, 2, 4 and 8 devices?

The plain game of `experiments/ring.py`, its batch split over the devices and its state whole on
each. Memory is what the compiled program asks of one device: its part of the arguments and results,
and the temporaries, which are nearly all activations; with the state donated, the results take the
place of the arguments. After 20 steps the params are compared with those of one device.

  python -m benchmarks.gan_sharding

On a CPU the devices are pretended, by as many threads as there are cores: the times then say what
splitting costs and cannot say what it gains. The memory and the params are those of real devices.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec

from benchmarks.record import TimingConfig, print_caveats, write_record
from benchmarks.timing import environment, interleaved, ratio
from experiments.ring import METHODS, make_model, make_update
from experiments.ring import Config as RecipeConfig
from jaxgen.checks import at_least
from jaxgen.distributions import ring
from jaxgen.train import data_mesh, init_game, replicate, shard
from jaxgen.workbench import Count, main, print_table, require_devices

COUNTS = (1, 2, 4, 8)
LEARNING_RATE = 1e-4
"""Of both players, as in Metz et al. (2017). At 5e-4 the units' kinks make 1e-4 of one rounding in
20 steps, on one device too."""
COMPARED = 20
"""Steps before the params are compared."""
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")


class Sharded(NamedTuple):
    """The update on so many devices.

    Attributes:
      step: `index -> critic's loss in nats`; moves the game on, its state donated.
      params: both players', as they are now, on the host.
      memory: bytes per device by kind, with the state donated and not.
    """

    step: Callable[[int], float]
    params: Callable[[], list[np.ndarray]]
    memory: dict[str, dict[str, int]]


def sharded(num_devices: int, batch_size: int) -> Sharded:
    """Returns the update compiled for the first `num_devices` devices, and a game before it."""
    config, method = RecipeConfig(batch_size=batch_size, devices=num_devices), METHODS["plain"]
    model = make_model(config, method)
    optimizer = optax.adam(LEARNING_RATE, b1=0.5)
    mesh = data_mesh(num_devices)
    update = shard(make_update(config, method, model, optimizer, optimizer), mesh)
    game = replicate(init_game(jax.random.key(0), model, optimizer, optimizer), mesh)
    split = NamedSharding(mesh, PartitionSpec("data"))
    x = jax.device_put(ring().sample(seed=jax.random.key(1), sample_shape=batch_size), split)

    def key(index: int) -> jax.Array:
        return replicate(jax.random.fold_in(jax.random.key(2), index), mesh)

    compiled = {
        name: jax.jit(update, donate_argnums=donated).lower(game, key(0), x).compile()
        for name, donated in (("donated", (0,)), ("kept", ()))
    }

    def step(index: int) -> float:
        nonlocal game
        game, info = compiled["donated"](game, key(index), x)
        return float(info["critic_loss"])

    def params() -> list[np.ndarray]:
        both = (game.generator.train.params, game.critic.train.params)
        return jax.tree.leaves(jax.device_get(both))

    return Sharded(step, params, {name: _bytes(program) for name, program in compiled.items()})


def _bytes(program: Any) -> dict[str, int]:
    """What one device holds for a compiled program, by kind."""
    found = program.memory_analysis()
    kinds = {
        kind: int(getattr(found, f"{kind}_size_in_bytes"))
        for kind in ("argument", "output", "temp", "alias")
    }
    # An aliased result is in its argument's place.
    total = kinds["argument"] + kinds["output"] + kinds["temp"] - kinds["alias"]
    return {**kinds, "total": total}


def measure(
    batch_size: int, rounds: int, *, counts: Sequence[int] = COUNTS, steps: int = 20
) -> dict[str, Any]:
    """Returns memory, times and differences for each number of devices that there is.

    Args:
      batch_size: reals, and as many fakes, over all devices together.
      rounds: counted rounds of each number of devices.
      counts: of devices, the first of which all are compared with.
      steps: of the update in a round.
    Raises:
      ValueError: batch_size or steps is below one; a number of devices does not divide the batch.
    """
    batch_size, steps = at_least("batch_size", batch_size, 1), at_least("steps", steps, 1)
    programs = {n: sharded(n, batch_size) for n in counts if n <= jax.device_count()}
    for program in programs.values():
        for index in range(COMPARED):
            program.step(index)
    first = programs[counts[0]].params()
    differences = {
        n: max(float(np.abs(a - b).max()) for a, b in zip(first, program.params(), strict=True))
        for n, program in programs.items()
    }

    def many(program: Sharded) -> Callable[[int], float]:
        def call(index: int) -> float:
            return [program.step(COMPARED + index * steps + i) for i in range(steps)][-1]

        return call

    before = environment(PACKAGES)
    timings = interleaved({str(n): many(program) for n, program in programs.items()}, rounds)
    return {
        "environment": before,
        "pretended": jax.default_backend() == "cpu",
        "batch_size": batch_size,
        "steps": steps,
        "compared_after": COMPARED,
        "devices": {
            str(n): {
                "memory": program.memory,
                "seconds": timings[str(n)].summary(),
                "over_first": ratio(timings[str(n)], timings[str(counts[0])]),
                "difference": differences[n],
            }
            for n, program in programs.items()
        },
        "absent": [n for n in counts if n not in programs],
    }


def report(result: dict[str, Any]) -> None:
    """Prints a row for each number of devices."""
    rows = [
        [
            name,
            *(
                found["memory"][donated][kind] / 2**20
                for donated, kind in (("donated", "temp"), ("donated", "total"), ("kept", "total"))
            ),
            1000 * found["seconds"]["median"] / result["steps"],
            found["over_first"]["of_medians"],
            found["difference"],
        ]
        for name, found in result["devices"].items()
    ]
    where = result["environment"]
    columns = ["temporary", "state donated", "state kept", "ms a step", "time over first's"]
    print_table(
        f"An update of batch {result['batch_size']}, MiB on each device, {where['device']}",
        ["devices", *columns, f"params differ by, {result['compared_after']} steps"],
        rows,
    )
    if result["pretended"]:
        print(
            f"pretended devices share {where['threads']} cores: their times show the cost of "
            "splitting and cannot show its gain"
        )
    print_caveats({"environment": where})
    for count in result["absent"]:
        print(f"{count} devices: not there, left out")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TimingConfig):
    """How much is timed, in rounds of 20 updates for each number of devices."""

    batch_size: Count = 4096
    """Reals, and as many fakes, over all devices together; a multiple of 8."""
    rounds: Count = 7


def run(config: Config) -> dict[str, Any]:
    """Measures and prints; returns what the file holds."""
    with contextlib.suppress(ValueError):  # fewer real ones: measure those there are
        require_devices(max(COUNTS))
    result = measure(config.batch_size, config.rounds)
    report(result)
    write_record("gan_sharding", result, config.out)
    return result


if __name__ == "__main__":
    main(Config, run)

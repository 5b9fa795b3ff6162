"""How long does an epoch of training take, beside numpyro, PyTorch and the matrix products alone?

The work is the same for all; `benchmarks/vae_contestants.py` says what it is. Rounds are
interleaved, compilation is apart, and the losses stand beside the times: they must agree.

  python -m benchmarks.training_speed
  python -m benchmarks.training_speed --data-dir ~/tensorflow_datasets   # real Fashion-MNIST

Measure on a machine that does nothing else: PyTorch's threads wait for each other in every
operation, so that a second busy program slows it many times more than it slows XLA.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
from typing import Any

import numpy as np

from benchmarks.record import TimingConfig, print_caveats, write_record
from benchmarks.timing import environment, interleaved, ratio
from benchmarks.vae_contestants import (
    BATCH,
    Images,
    jaxgen_epoch,
    matrix_products_epoch,
    numpyro_epoch,
    torch_epoch,
)
from jaxgen.checks import at_least
from jaxgen.data import load
from jaxgen.workbench import Directory, main, print_table

PEERS = {
    "numpyro": ("numpyro", numpyro_epoch),
    "torch": ("torch", torch_epoch),
    "torch, fused Adam": ("torch", functools.partial(torch_epoch, fused=True)),
}
"""By name in the table: the package it needs, and what it runs."""

PACKAGES = ("jax", "jaxlib", "flax", "optax", "distrax", "numpyro", "torch", "numpy")


def synthetic_images(count: int) -> Images:
    """Returns images of eight latent factors, about as dark as clothes are."""
    rng = np.random.default_rng(0)
    logits = 0.7 * rng.normal(size=(count, 8)) @ rng.normal(size=(8, 784)) - 1
    return (255 / (1 + np.exp(-logits))).astype(np.uint8).reshape(count, 28, 28, 1)


def measure(images: Images, rounds: int) -> dict[str, Any]:
    """Returns the times of an epoch, their ratios and the losses; peers not installed are absent.

    Raises:
      ValueError: there is no whole batch of images, or no round.
    """
    at_least("len(images)", len(images), BATCH)
    found = {
        name: make(images)
        for name, (package, make) in PEERS.items()
        if importlib.util.find_spec(package)
    }
    contestants = {"jaxgen": jaxgen_epoch(images), **found}
    before = environment(PACKAGES)
    timings = interleaved({**contestants, "matrix products": matrix_products_epoch(images)}, rounds)
    return {
        "environment": before,
        "images": len(images),
        "batch_size": BATCH,
        "seconds": {name: timing.summary() for name, timing in timings.items()},
        "ratios": {
            f"jaxgen / {name}": ratio(timings["jaxgen"], timing)
            for name, timing in timings.items()
            if name != "jaxgen"
        },
        "final_loss": {name: timings[name].answers[-1] for name in contestants},
        "absent": [name for name in PEERS if name not in found],
    }


def report(result: dict[str, Any]) -> None:
    """Prints the times as a table, then the ratios."""
    rows = [
        [name, *(seconds[k] for k in ("median", "min", "max", "compile")), _loss(result, name)]
        for name, seconds in result["seconds"].items()
    ]
    where = result["environment"]
    print_table(
        f"{result['images']} images an epoch, {where['threads']} threads of {where['processor']}",
        ["", "median s", "min s", "max s", "compile s", "loss, nats"],
        rows,
    )
    print_caveats(result)


def _loss(result: dict[str, Any], name: str) -> str:
    loss = result["final_loss"].get(name)
    return "" if loss is None else f"{loss:.2f}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TimingConfig):
    """How much is timed, in epochs of each contestant."""

    quick: bool = False
    """A tenth of the images, and three rounds in place of nine."""
    data_dir: Directory = None
    """Where TFDS keeps fashion_mnist; synthetic images if not given."""


def run(config: Config) -> dict[str, Any]:
    """Measures and prints; returns what the file holds."""
    count = 6_000 if config.quick else 60_000
    if config.data_dir is None:
        images = synthetic_images(count)
    else:
        images = load("fashion_mnist", "train+validation", data_dir=config.data_dir).images[:count]
    quick = config.quick and config.rounds == Config.rounds
    result = measure(images, 3 if quick else config.rounds)
    result["data"] = "synthetic" if config.data_dir is None else "fashion_mnist"
    report(result)
    write_record("training_speed", result, config.out)
    return result


if __name__ == "__main__":
    main(Config, run)

"""What does an epoch over a mapped file cost, beside one whose data live on the device?

Two VAEs by the same updates: an MLP on 28x28 pixels, a convolutional one on 64x64x3. Both epochs
are to the bit the same, rounds are interleaved, and compilation is apart. Then, in a process of its
own, the peak of the memory while a file of 64x64x3 images is streamed; the file is made for it, in
a directory that is removed.

  python -m benchmarks.stream_speed                    # 200,000 images: 2.4 GB on the disk
  python -m benchmarks.stream_speed --quick
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, UInt8

from benchmarks.record import TimingConfig, print_caveats, write_record
from benchmarks.timing import environment, interleaved, ratio
from jaxgen.data import threshold
from jaxgen.models import LIKELIHOODS, gaussian_vae, observe
from jaxgen.nets import MLP, ConvDecoder, ConvEncoder
from jaxgen.objectives import elbo
from jaxgen.train import (
    TrainState,
    Update,
    gradient_step,
    init_state,
    mean_over_batch,
    scan_epoch,
    stream_epoch,
)
from jaxgen.types import Info, Key, Params
from jaxgen.workbench import Count, main, print_table

BATCH = 128
FORMS = {"MLP, 28x28": (28, 28, 1), "convolutions, 64x64x3": (64, 64, 3)}
LARGE = (64, 64, 3)
"""Of the images that are streamed to see the memory that it takes."""


def vae_of(x_shape: tuple[int, ...]) -> tuple[Update, Callable[[], TrainState]]:
    """Returns the update of a VAE of binary pixels of that shape, and what makes its first state.

    The net is an MLP where there is one channel, and convolutional else.
    """
    nets = (
        (MLP((400,), (2, 20)), MLP((400,), (*x_shape, 1)))
        if x_shape[-1] == 1
        else (ConvEncoder((2, 20)), ConvDecoder((*x_shape, 1)))
    )
    bernoulli = LIKELIHOODS["bernoulli"].distribution
    model = gaussian_vae(*nets, bernoulli, latent_size=20, x_shape=x_shape)
    optimizer = optax.adam(1e-3)

    def one(params: Params, key: Key, image: Array) -> tuple[Array, Info]:
        key_x, key_z = jax.random.split(key)
        at = observe(model, params, threshold(key_x, image))
        return -elbo(key_z, at.log_likelihood, at.q, at.prior).elbo, {}

    def start() -> TrainState:
        return init_state(jax.jit(model.init)(jax.random.key(0)), optimizer)

    return gradient_step(mean_over_batch(one), optimizer), start


def synthetic_file(path: Path, count: int, x_shape: tuple[int, ...]) -> UInt8[np.ndarray, "..."]:
    """Writes so many images, smooth and different, and returns them mapped."""
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (count, *x_shape))
    rng = np.random.default_rng(0)
    block = 1000
    for begin in range(0, count, block):
        coarse = rng.integers(0, 256, (min(block, count - begin), 4, 4, x_shape[-1]), np.uint8)
        fine = coarse.repeat(-(-x_shape[0] // 4), 1).repeat(-(-x_shape[1] // 4), 2)
        images[begin : begin + block] = fine[:, : x_shape[0], : x_shape[1]]
    images.flush()
    return np.load(path, mmap_mode="r")


def epochs_of(
    images: UInt8[np.ndarray, "..."], update: Update, start: Callable[[], TrainState]
) -> dict[str, Callable[[int], float]]:
    """Returns both epochs, `index -> mean loss`, each with a state of its own."""

    def going_on(epoch: Callable[..., Any], data: Any) -> Callable[[int], float]:
        state = start()

        def call(index: int) -> float:
            nonlocal state
            state, infos = epoch(state, jax.random.key(index), data)
            return float(infos["loss"].mean())

        return call

    resident = jax.jit(scan_epoch(update, BATCH), donate_argnums=0)
    return {
        "resident": going_on(resident, jnp.array(images)),
        "stream": going_on(stream_epoch(update, BATCH), images),
    }


def measure(count: int, rounds: int) -> dict[str, Any]:
    """Returns the times of both epochs over so many images of each form, and their ratios."""
    before = environment(("jax", "jaxlib", "flax", "numpy"))
    seconds: dict[str, Any] = {}
    ratios: dict[str, Any] = {}
    for name, x_shape in FORMS.items():
        with tempfile.TemporaryDirectory() as folder:
            images = synthetic_file(Path(folder) / "images.npy", count, x_shape)
            timings = interleaved(epochs_of(images, *vae_of(x_shape)), rounds)
        seconds |= {f"{form}, {name}": timing.summary() for form, timing in timings.items()}
        ratios[f"stream / resident, {name}"] = ratio(timings["stream"], timings["resident"])
    return {
        "environment": before,
        "images": count,
        "batch_size": BATCH,
        "seconds": seconds,
        "ratios": ratios,
    }


def peak_memory(count: int) -> dict[str, Any]:
    """Returns MiB resident at most in a process that streams so many large images once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        synthetic_file(path, count, LARGE)
        code = f"from benchmarks.stream_speed import print_peak; print_peak({str(path)!r})"
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
        size = path.stat().st_size / 2**20
    return {"images": count, "file_mib": size, **json.loads(done.stdout)}


def print_peak(path: str) -> None:
    """Streams the file once through an update that reads every pixel; prints the peak as JSON."""

    def update(state: Array, key: Key, batch: Array) -> tuple[Array, Info]:
        return state + batch.astype(jnp.float32).mean(), {}

    images = np.load(path, mmap_mode="r")
    before = peak_mib()
    jax.block_until_ready(stream_epoch(update, BATCH)(jnp.float32(0), jax.random.key(0), images))
    print(json.dumps({"peak_mib": peak_mib(), "before_mib": before}))


def peak_mib() -> float:
    """Returns the MiB that were resident at most in this process."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: of this program alone, unlike `getrusage`, which counts its maker
        (line,) = [x for x in status.read_text().splitlines() if x.startswith("VmHWM:")]
        return int(line.split()[1]) / 2**10
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts in bytes


def report(result: dict[str, Any]) -> None:
    """Prints the times as a table, then the ratios and the peak of the memory."""
    columns = ["", "median s", "min s", "max s", "compile s"]
    rows = [
        [name, *(seconds[k] for k in ("median", "min", "max", "compile"))]
        for name, seconds in result["seconds"].items()
    ]
    print_table(f"{result['images']} images an epoch", columns, rows)
    print_caveats(result)
    print(
        "a stream over {images} images, {file_mib:.0f} MiB: {peak_mib:.0f} MiB resident at most, "
        "{before_mib:.0f} before it".format(**result["memory"])
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TimingConfig):
    """How much is timed."""

    rounds: Count = 7
    """Counted epochs of each."""
    images: Count = 12_800
    """In an epoch that is timed."""
    streamed: Count = 200_000
    """Images of 64x64x3 in the file whose stream is watched for its memory."""
    quick: bool = False
    """A tenth of both, and three rounds."""


def run(config: Config) -> dict[str, Any]:
    """Measures and prints; returns what the file holds."""
    part = 10 if config.quick else 1
    result = measure(
        max(BATCH, config.images // part), min(3, config.rounds) if config.quick else config.rounds
    )
    result["memory"] = peak_memory(max(BATCH, config.streamed // part))
    report(result)
    write_record("stream_speed", result, config.out)
    return result


if __name__ == "__main__":
    main(Config, run)

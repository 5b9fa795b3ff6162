"""How long do 64 images of an autoregressive model take, by each way of drawing them?

A PixelCNN is trained with the recipe `experiments/autoregressive.py`, then draws images

  fixed point      all pixels from the same noise, again and again, until no pixel changes
  pixel by pixel   each from its own patch alone, which a net of one convolution allows
  whole passes     one pixel after another, all of them computed anew for each

The first and the last must agree to the bit, and the passes of the first are counted.

  python -m benchmarks.sampling_speed

trains for some three minutes on two CPU cores and needs static binarized MNIST prepared; any other
set goes by its name.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from benchmarks.record import TimingConfig, print_caveats, write_record
from benchmarks.timing import environment, interleaved, ratio
from experiments import autoregressive
from jaxgen.models import Density, sample_by_pixels
from jaxgen.train import restore
from jaxgen.types import Key, Params
from jaxgen.workbench import Count, Directory, load_images, main, print_table

PACKAGES = ("jax", "jaxlib", "flax", "distrax", "numpy")


def measure(recipe: autoregressive.Config, count: int, rounds: int) -> dict[str, Any]:
    """Returns the times of `count` images by each way, their ratios, the passes and the agreement.

    Args:
      recipe: of the PixelCNN; its run directory is a temporary one.
    Raises:
      ValueError: there is no such set, or no round.
    """
    images, *_ = load_images(recipe, recipe.binarization)
    chain, *_ = autoregressive.make_model(recipe, "pixelcnn", images)
    head = autoregressive.make_head(recipe, images.levels)
    net = autoregressive.make_net(recipe, "pixelcnn", head, images)
    with tempfile.TemporaryDirectory() as folder:
        recipe = dataclasses.replace(recipe, family=("pixelcnn",), run_dir=f"{folder}/run")
        trained = autoregressive.run(recipe)["pixelcnn"]
        shapes = jax.eval_shape(chain.init, jax.random.key(0), ())
        _, params = restore(Path(folder) / "run" / "pixelcnn" / "trained", shapes)
    shape = images.images.shape[1:]
    one = sample_by_pixels(net, head, shape)

    def by_pixels(params: Params, key: Key) -> Array:
        return jax.vmap(one, (None, 0))(params, jax.random.split(key, count))

    ways: dict[str, Callable[[Params, Key], Any]] = {
        "fixed point": jax.jit(partial(fixed_points, chain, count)),
        "pixel by pixel": jax.jit(by_pixels),
        "whole passes": jax.jit(partial(whole_passes, chain, count)),
    }
    before = environment(PACKAGES)
    drawn: dict[str, Any] = {}

    def contestant(name: str) -> Callable[[int], None]:
        def call(index: int) -> None:
            drawn[name] = jax.block_until_ready(ways[name](params, jax.random.key(index)))

        return call

    timings = interleaved({name: contestant(name) for name in ways}, rounds)
    x, passes = drawn["fixed point"]
    fastest = timings["pixel by pixel"]
    return {
        "environment": before,
        "set": recipe.dataset,
        "images": count,
        "pixels": x[0].size,
        "test_nll": trained["test_nll"],
        "passes": {"most": int(passes.max()), "mean": float(passes.mean())},
        "equal_to_the_bit": bool(np.array_equal(x, drawn["whole passes"])),
        "seconds": {name: timing.summary() for name, timing in timings.items()},
        "ratios": {
            f"{name} / pixel by pixel": ratio(timings[name], fastest)
            for name in ("fixed point", "whole passes")
        },
    }


def fixed_points(chain: Density, count: int, params: Params, key: Key) -> tuple[Array, Array]:
    """Returns images, and the passes that each took."""
    p: Any = chain.distribution(params, ())
    return p.sample_with_passes(seed=key, sample_shape=(count,))


def whole_passes(chain: Density, count: int, params: Params, key: Key) -> Array:
    """Returns the images of the same noise, one pixel after another."""
    p: Any = chain.distribution(params, ())

    def one(key: Key) -> Array:
        def draw(place: Array, x: Array) -> Array:
            again = p.conditionals(x).sample(seed=jax.random.clone(key)).astype(x.dtype)
            return jnp.where(jnp.arange(x.size).reshape(x.shape) == place, again, x)

        x = jnp.zeros(p.event_shape)
        return jax.lax.fori_loop(0, x.size, draw, x)

    return jax.vmap(one)(jax.random.split(key, count))


def report(result: dict[str, Any]) -> None:
    """Prints the times as a table, then what was drawn."""
    rows = [
        [name, *(seconds[k] for k in ("median", "min", "max", "compile"))]
        for name, seconds in result["seconds"].items()
    ]
    where = result["environment"]
    print_table(
        f"{result['images']} images of {result['pixels']} pixels ({result['set']}), "
        f"{where['threads']} threads of {where['processor']}",
        ["", "median s", "min s", "max s", "compilation s"],
        rows,
    )
    same = "equal" if result["equal_to_the_bit"] else "NOT equal"
    most = result["passes"]["most"]
    print(f"fixed point: {most} passes for {result['pixels']} pixels, {same} to the bit to whole")
    print_caveats(result)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TimingConfig):
    """What is trained, and how much is timed."""

    rounds: Count = 2
    dataset: str = "binarized_mnist"
    """A TFDS name, or digits."""
    data_dir: Directory = None
    """Where prepared TFDS sets lie; TFDS_DATA_DIR or ~/tensorflow_datasets if not given."""
    epochs: Count = 12
    """Of training before."""
    images: Count = 64
    """Drawn at once."""


def run(config: Config) -> dict[str, Any]:
    """Measures and prints; returns what the file holds."""
    recipe = autoregressive.Config(
        dataset=config.dataset,
        data_dir=config.data_dir,
        epochs=config.epochs,
        batch_size=256,
        pixels=40,
        dropout=0.0,
    )
    result = measure(recipe, config.images, config.rounds)
    report(result)
    write_record("sampling_speed", result, config.out)
    return result


if __name__ == "__main__":
    main(Config, run)

"""Images by the chain rule: PixelCNN and gated PixelCNN, by exact likelihood.

p(x) = prod_i p(x_i | x before i), each factor a distribution over the levels that the pixels of the
set take, so the NLL is exact: nothing is bounded, nothing estimated. Samples come by fixed point,
all pixels at once until none changes, equal to the bit to one pixel after another.

  python -m experiments autoregressive
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.special import logsumexp

from jaxgen import workbench as wb
from jaxgen.data import ImageSet
from jaxgen.metrics import bits_per_dim
from jaxgen.models import (
    LIKELIHOODS,
    Density,
    autoregressive,
    categorical,
    logistic_mixture,
    subsampled_log_prob,
)
from jaxgen.nets import GatedPixelCNN, PixelCNN
from jaxgen.pictures import image_grid, learning_curve
from jaxgen.train import gradient_step, init_state, mean_over_batch
from jaxgen.types import Key, Params


class Family(NamedTuple):
    """A kind of net: its name in full, the net, and its width and depth by default."""

    title: str
    net: Callable[..., nn.Module]
    features: int
    layers: int


FAMILIES = {
    "pixelcnn": Family("PixelCNN", PixelCNN, 64, 3),
    "gated": Family("gated PixelCNN", GatedPixelCNN, 32, 4),
}
PUBLISHED = {
    ("binarized_mnist", "none"): {"pixelcnn": "81.30"},
    ("mnist", "dynamic"): {"pixelcnn": "81.45", "gated": "81.50"},
}
"""Test nats: van den Oord et al. (2016); dynamic: the README of pytorch-generative."""
SHOWN = 50


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.ImageConfig):
    """The nets, what they say of a pixel, and how they are trained."""

    family: Annotated[tuple[str, ...], wb.Among(FAMILIES), wb.SEVERAL] = ("pixelcnn", "gated")
    """One training each."""
    epochs: wb.Count = 30
    batch_size: wb.Count = 32
    learning_rate: wb.Positive = 3e-3
    """Of Adam at first, down to a hundredth along half a cosine."""
    binarization: Literal["none", "dynamic", "threshold"] = "none"
    """Of gray pixels: a fresh draw at each use, or a cut at one half."""
    head: Literal["levels", "logistics"] = "levels"
    """What a pixel is told: a logit for each level that it may take (one logit if these are two),
    or a mixture of five logistics rounded to the levels."""
    conditional: bool = False
    """Model each class; the NLL is then that of the mean of p(x | class), all classes alike."""
    features: wb.Count | None = None
    """Width of the layers; by default the family's own."""
    layers: wb.Count | None = None
    """Their number (PixelCNN: residual pairs); by default the family's own."""
    rows: wb.Count = 7
    """Reach of the PixelCNN upwards."""
    reach: wb.Count = 6
    """Reach of the PixelCNN to either side."""
    dropout: Annotated[float, wb.Rule(lambda rate: 0 <= rate < 1, "a number in [0, 1)")] = 0.3
    """Share of the features that training leaves out in a step."""
    pixels: wb.Count | None = None
    """Random pixels of each image that train the PixelCNN in a step, most of them where the set
    varies most; by default all."""
    patience: wb.Count | None = None
    """Stop after as many epochs without a better validation NLL, and use the best epoch."""
    schedule: ClassVar[str] = "cosine"


def run(config: Config) -> dict[str, Any]:
    """Trains every family of `config`; returns what result.json holds, by their names."""
    out = wb.begin(config)
    train, validation, test = wb.load_images(config, config.binarization)
    data, held_out = with_contexts(config, train), with_contexts(config, validation)
    every = jnp.eye(data[1].shape[1]) if config.conditional else ()
    key_init, key_fit, key_judge, key_test, key_draw = config.keys(5)
    steps = config.num_steps(len(train.images))
    optimizer = wb.make_optimizer(config.learning_rate, steps, clip_norm=10.0)
    figures = {}

    def one(part: wb.Run, name: str) -> dict[str, Any]:
        density, estimate = make_model(config, name, train)
        loss, judge = (
            mean_over_batch(wb.negative_log_prob(log_prob, train.prepare))
            for log_prob in (estimate, wb.exact_log_prob(density))
        )
        start = jax.jit(density.init)(key_init, jax.tree.map(lambda of: of[0], every))
        params, _ = wb.train(
            part,
            init_state(start, optimizer),
            gradient_step(loss, optimizer),
            data,
            wb.judge_by(judge),
            key=key_fit,
            judge_key=key_judge,
            held_out=held_out,
            monitor="nll",
            better="lower",
            patience=config.patience,
        )
        x, passes = draw(density, params, jax.random.clone(key_draw), every)
        title = f"{FAMILIES[name].title}: {SHOWN} samples, all at once in {passes} passes"
        figures[f"samples_{name}"] = image_grid(x, columns=len(every) or 10, title=title)
        measured = evaluate(density, params, jax.random.clone(key_test), test, every)
        return {**measured, "passes": passes, "pixels": x[0].size}

    swept = wb.sweep(out, {name: name for name in config.family}, one)
    result = {
        name: {**of, "training_seconds": swept.seconds[name]} for name, of in swept.results.items()
    }
    titles = {name: FAMILIES[name].title for name in result}
    curves, label = swept.curves("validation_nll"), "validation NLL (nats per image)"
    figures["learning_curve"] = learning_curve(curves, titles, ylabel=label)
    tables = [table(config, result, len(test.images))]
    return out.finish(result, figures, tables, [*swept.failed.values()])


def with_contexts(config: Config, images: ImageSet) -> tuple[np.ndarray, Any]:
    """Returns the images and what they are modeled in the context of: their class, or nothing."""
    if not config.conditional:
        return images.images, ()
    if images.labels is None:
        raise ValueError(f"conditional: got {config.dataset}, which has no labels")
    return images.images, np.eye(images.labels.max() + 1, dtype=np.float32)[images.labels]


def make_model(config: Config, name: str, images: ImageSet) -> tuple[Density, wb.LogProb]:
    """Returns p(x | context), and the log p(x | context), or its estimate, to train by."""
    family, chosen = FAMILIES[name], {"dropout": config.dropout}
    head = LIKELIHOODS["bernoulli"] if images.levels == 2 else categorical(images.levels)
    if config.head == "logistics":
        head = logistic_mixture(images.levels, 5)
    if name == "pixelcnn":
        chosen |= {"rows": config.rows, "reach": config.reach}
    size = config.features or family.features, config.layers or family.layers
    net = family.net(head.outputs, *size, **chosen)
    density = autoregressive(net, head, images.images.shape[1:])
    if name == "pixelcnn" and config.pixels:
        spread = images.images.std(axis=0).mean(axis=-1)
        weights = spread + 0.2 * spread.mean()
        return density, subsampled_log_prob(net, head, config.pixels, weights)
    return density, wb.exact_log_prob(density, training=True)


def draw(density: Density, params: Params, key: Key, every: Any) -> tuple[Array, int]:
    """Returns samples, one of every context in turn, and the passes that the slowest took."""

    @jax.jit
    @jax.vmap
    def sample(key: Key, context: Any) -> tuple[Array, Array]:
        return density.distribution(params, context).sample_with_passes(seed=key)

    contexts = jax.tree.map(lambda of: of[jnp.arange(SHOWN) % len(of)], every)
    x, passes = sample(jax.random.split(key, SHOWN), contexts)
    return x, int(passes.max())


def evaluate(
    density: Density, params: Params, key: Key, test: ImageSet, every: Any
) -> dict[str, float]:
    """Returns the test NLL, of the mean over all contexts, and how often the likeliest is right."""

    def in_each(params: Params, key: Key, image: Array) -> Array:
        log_prob = partial(wb.exact_log_prob(density), params, key, test.prepare(key, image))
        return jax.lax.map(log_prob, every) if len(every) else log_prob(())[None]

    measure = partial(wb.image_by_image(in_each), params)
    each = wb.map_in_blocks(measure, key, test.images, "test NLL")
    nats = wb.mean_over_images(-logsumexp(each, axis=1, b=1 / each.shape[1]))
    bits = (float(bits_per_dim(number, test.images[0].size)) for number in nats)
    found = {**nats.named("test_nll"), **wb.Mean(*bits).named("bits_per_dim")}
    if len(every):
        found["accuracy"] = float(np.mean(each.argmax(axis=1) == test.labels))
    return found


def table(config: Config, result: dict[str, Any], count: int) -> wb.Table:
    """Returns the families' NLLs beside the published ones."""
    published = PUBLISHED.get((config.dataset, config.binarization), {})
    rows = []
    for name, of in result.items():
        nll = [f"{of['test_nll']:.2f} ± {of['test_nll_stderr']:.2f}", f"{of['bits_per_dim']:.3f}"]
        cost = [f"{of['passes']} of {of['pixels']}", round(of["training_seconds"])]
        rows.append([FAMILIES[name].title, *nll, published.get(name, "-"), *cost])
    columns = ["", "NLL, nats", "bits/dim", "published", "passes to sample", "training, s"]
    return wb.Table(f"{config.dataset}: {count} test images", columns, rows)


if __name__ == "__main__":
    wb.main(Config, run)

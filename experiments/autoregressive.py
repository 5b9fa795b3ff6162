"""Images by the chain rule: MADE, PixelCNN, gated PixelCNN and a transformer, by exact likelihood.

p(x) = prod_i p(x_i | x before i), each factor a distribution over the levels that the pixels of the
set take, so the NLL is exact: nothing is bounded, nothing estimated. Samples come by fixed point,
all pixels at once until none changes, equal to the bit to one pixel after another.

  python -m experiments autoregressive

trains two PixelCNNs on the digits at their 17 levels, in a minute on two CPU cores. Expect (one
seed), and in two minutes of all families with `--family made pixelcnn gated transformer`,

  bits/dim   MADE 2.030   transformer 1.891   PixelCNN 1.791   gated PixelCNN 1.771   (each ± .015)

and 50 samples in 14 to 22 passes, not 64. With `--conditional` the classes are modeled, and the
likeliest is the right one for 98% of the test images (PixelCNN, 10 epochs). Static binarized MNIST:

  python -m experiments autoregressive --dataset binarized_mnist --family pixelcnn --pixels 40
      --batch-size 256 --dropout 0 --epochs 20

gave (one seed) after 18 of the 20 epochs a test NLL of 86.94 nats (standard error .21), in 335 CPU
seconds: three minutes on two cores; with --features 128 --layers 4 --rows 12 85.57, in 930; in 38
epochs 85.00, in 2,170. MADE of 2,000 units has 88.91 in 254 (--dropout .4 --batch-size 200), of
four orders 89.39 to 89.62: one net serves all. 81.5, dynamically binarized, takes a GPU (not run):

  python -m experiments autoregressive --dataset mnist --binarization dynamic --family gated
      --features 128 --layers 10 --dropout 0 --batch-size 128 --learning-rate 1e-3 --epochs 457
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, ClassVar, Literal

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
    Likelihood,
    autoregressive,
    categorical,
    logistic_mixture,
    subsampled_log_prob,
    uniform_mixture,
)
from jaxgen.nets import MADE, CausalTransformer, GatedPixelCNN, PixelCNN, random_orders, raster
from jaxgen.pictures import image_grid, learning_curve
from jaxgen.train import gradient_step, init_state, mean_over_batch
from jaxgen.types import Info, Key, Params, Scalar

FAMILIES = {
    "made": ("MADE", 500, 1, 0.5),
    "pixelcnn": ("PixelCNN", 64, 3, 0.3),
    "gated": ("gated PixelCNN", 32, 4, 0.3),
    "transformer": ("transformer", 64, 2, 0.1),
}
"""Their names in full, and by default width, depth and dropout of the nets."""
PUBLISHED = {
    ("binarized_mnist", "none"): {"made": "88.40; 86.64 of 32 orders", "pixelcnn": "81.30"},
    ("mnist", "dynamic"): dict(made="84.87", pixelcnn="81.45", gated="81.50", transformer="79.17"),
}
"""Test nats: Germain et al. (2015), van den Oord et al. (2016a); dynamic: pytorch-generative."""
SHOWN, JUDGED = 50, 1000
"""Samples, and images of the validation set that are looked at after every epoch, at most."""


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
    orders: wb.Count = 1
    """Of the pixels, random ones, which MADE is a mixture over; one is row by row."""
    features: wb.Count | None = None
    """Width of the layers; by default the family's own."""
    layers: wb.Count | None = None
    """Their number (PixelCNN: residual pairs); by default the family's own."""
    rows: wb.Count = 7
    """Reach of the PixelCNN upwards."""
    reach: wb.Count = 6
    """Reach of the PixelCNN to either side."""
    dropout: Annotated[float, wb.Rule(lambda x: 0 <= x < 1, "a number in [0, 1)")] | None = None
    """Share of the features that training leaves out in a step; by default the family's own."""
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
    data, held_out = (wb.with_classes(of, config.conditional) for of in (train, validation))
    every = jnp.eye(data[1].shape[1]) if config.conditional else ()
    key_init, key_fit, key_judge, key_test, key_draw = config.keys(5)
    steps = config.num_steps(len(train.images))
    optimizer = wb.make_optimizer(config.learning_rate, steps, clip_norm=10.0)
    figures = {}

    def train_one(part: wb.Run, name: str) -> dict[str, Any]:
        chain, density, one = make_model(config, name, train)
        start = jax.jit(density.init)(key_init, jax.tree.map(lambda of: of[0], every))
        params, _ = wb.train(
            part,
            init_state(start, optimizer),
            gradient_step(mean_over_batch(one), optimizer),
            data,
            wb.judge_nll(density, train.prepare),
            key=key_fit,
            judge_key=key_judge,
            held_out=jax.tree.map(lambda of: of[:JUDGED], held_out),
            monitor="nll",
            better="lower",
            patience=config.patience,
        )
        x, passes = wb.fixed_point_draws(chain, params, jax.random.clone(key_draw), SHOWN, every)
        title = f"{FAMILIES[name][0]}: {SHOWN} samples, all at once in {passes.max()} passes"
        figures[f"samples_{name}"] = image_grid(x, columns=len(every) or 10, title=title)
        each = wb.log_probs(density, params, jax.random.clone(key_test), test, every)
        nats = wb.mean_over_images(np.negative(logsumexp(each, axis=1, b=1 / each.shape[1])))
        bits = wb.Mean(*(float(bits_per_dim(of, x[0].size)) for of in nats))
        found = {**nats.named("test_nll"), **bits.named("bits_per_dim")}
        if config.conditional:
            found["accuracy"] = float(np.mean(each.argmax(axis=1) == test.labels))
        return {**found, "passes": int(passes.max()), "pixels": x[0].size}

    swept = wb.sweep(out, {name: name for name in config.family}, train_one)
    result = {
        name: {**of, "training_seconds": swept.seconds[name]} for name, of in swept.results.items()
    }
    titles = {name: FAMILIES[name][0] for name in result}
    curves, label = swept.curves("validation_nll"), "validation NLL (nats per image)"
    figures["learning_curve"] = learning_curve(curves, titles, ylabel=label)
    tables = [table(config, result, len(test.images))]
    return out.finish(result, figures, tables, [*swept.failed.values()])


def make_model(config: Config, name: str, images: ImageSet) -> tuple[Density, Density, Any]:
    """Returns p(x | context) by one chain, the model (or that of several), and the loss."""
    head, shape = make_head(config, images.levels), images.images.shape[1:]
    net = make_net(config, name, head, images)
    density = autoregressive(net, head, shape)
    log_prob = wb.exact_log_prob(density, training=True)
    if name == "pixelcnn" and config.pixels:
        spread = images.images.std(axis=0).mean(axis=-1)
        weights = spread + 0.2 * spread.mean()
        log_prob = subsampled_log_prob(net, head, config.pixels, weights)
    nll = wb.negative_log_prob(log_prob, images.prepare)
    if name != "made" or config.orders == 1:
        return density, density, nll

    def in_turn(params: Params, key: Key, datapoint: Any, *, step: Array) -> tuple[Scalar, Info]:
        return nll(params, key, (datapoint[0], (datapoint[1], step % config.orders)))

    first = Density(density.init, lambda params, at: density.distribution(params, (at, 0)))
    return first, uniform_mixture(density, config.orders, shape), in_turn


def make_head(config: Config, levels: int) -> Likelihood:
    """Returns what is said of a pixel."""
    if config.head == "logistics":
        return logistic_mixture(levels, 5)
    return LIKELIHOODS["bernoulli"] if levels == 2 else categorical(levels)


def make_net(config: Config, name: str, head: Likelihood, images: ImageSet) -> nn.Module:
    """Returns the net of a family."""
    _, features, layers, dropout = FAMILIES[name]
    features, layers = config.features or features, config.layers or layers
    dropout = dropout if config.dropout is None else config.dropout
    told: dict[str, Any] = {"outputs": head.outputs, "dropout": dropout}
    of = {"features": features, "layers": layers, **told}
    if name == "pixelcnn":
        return PixelCNN(rows=config.rows, reach=config.reach, **of)
    if name == "gated":
        return GatedPixelCNN(**of)
    told["output_bias_init"] = wb.constant(wb.bias_of_mean(head, images.images))
    if name == "transformer":
        return CausalTransformer(features=features, layers=layers, **told)
    orders = random_orders(config.orders) if config.orders > 1 else raster
    return MADE((features,) * layers, orders=orders, **told)


def table(config: Config, result: dict[str, Any], count: int) -> wb.Table:
    """Returns the families' NLLs beside the published ones."""
    published = PUBLISHED.get((config.dataset, config.binarization), {})
    rows = []
    for name, of in result.items():
        nll = [f"{of['test_nll']:.2f} ± {of['test_nll_stderr']:.2f}", f"{of['bits_per_dim']:.3f}"]
        cost = [f"{of['passes']} of {of['pixels']}", round(of["training_seconds"])]
        rows.append([FAMILIES[name][0], *nll, published.get(name, "-"), *cost])
    columns = ["", "NLL, nats", "bits/dim", "published", "passes to sample", "training, s"]
    return wb.Table(f"{config.dataset}: {count} test images", columns, rows)


if __name__ == "__main__":
    wb.main(Config, run)

"""DCGAN: images from an adversarial game of convolutional nets, judged while they are learned.

A generator of transposed convolutions and a critic of strided ones move in turn (Goodfellow et al.
2014; Radford et al. 2016). What is looked at is an average of the generator's params and batch
statistics. After every epoch its samples are compared with held-out images: by the Fréchet distance
between features, and for collapse, by how many are near duplicates and how near they come to a
training image.

  python -m experiments dcgan

trains on the embedded digits, with pixels for features. Measured, three seeds: Fréchet distance
.265 ± .008 to the 300 test images, where as many others of the data come to .211; .8% ± .8% of near
duplicates, 1% in the data; some 80 CPU seconds. Features worth the name are a trained classifier's:

  python -m experiments classifier --dataset fashion_mnist --epochs 5 --batch-size 128 \
    --run-dir runs/fashion
  python -m experiments dcgan --dataset fashion_mnist --features runs/fashion \
    --width 32 --epochs 8 --learning-rate 5e-4

Measured so, one seed: Fréchet distance 1.41 to the 10,000 test images (other images of the data
come to .04), 8.4 after the first epoch and still falling at the eighth; no near duplicates, the
training images 1.3 times as far as from held-out ones. 358 seconds on two CPU cores beside other
work, and 50 for the classifier.

With --conditional both players are told the class, and the report goes by it: how far the samples
of each class are from its test images, and how many a classifier takes for what was asked for.
Measured on the digits: projection .248, .255 and .231 (three seeds; 9%, 6% and 7% of near
duplicates) and 99.7%, 99.7% and 100%, concatenation .239 and .247 (two seeds; 3% and 6%) and 100%,
where the classifier finds 97% of the test images; 62 to 80 seconds of one CPU core.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.metrics import RepetitionScale, frechet_distance, repetition, repetition_scale
from jaxgen.models import ConditionalGan, Gan, conditional_gan, gan
from jaxgen.nets import (
    PRECISIONS,
    DCGANCritic,
    DCGANGenerator,
    ProjectionCritic,
    dcgan_channels,
    labeled,
)
from jaxgen.objectives import GAN_LOSSES, game_losses
from jaxgen.pairwise import nearest
from jaxgen.train import Game, game_update, init_game
from jaxgen.types import Info, Key, Variables

JUDGED, PAIRED = 2000, 200
"""Samples, and at most as many held-out images, that epochs are judged by, and one by one."""
NEAR = 0.01
"""Share of held-out images that have another one within the radius of a duplicate."""
SHOWN = 10
"""Images in a row of the picture of samples over time."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.ImageConfig):
    """One pair of players and how they are trained."""

    epochs: int = 130
    batch_size: int = 64
    """Reals, and as many fakes, per step of either player."""
    learning_rate: float = 5e-4
    """Of both players' Adam (b1 = .5)."""
    loss: Literal[
        "non_saturating", "minimax", "least_squares", "hinge", "wasserstein", "relativistic"
    ] = "non_saturating"
    """Of both players."""
    critic: Literal["batch_norm", "spectral_norm"] = "batch_norm"
    """What its layers are normalized by; the Wasserstein loss needs the spectral norm."""
    width: wb.Count = 64
    """Channels of the largest feature map; each halving doubles them."""
    latent_size: wb.Count = 64
    """Dimensions of z."""
    ema_decay: wb.Share = 0.999
    """Of the average of the generator's params."""
    features: wb.Directory = None
    """Run directory of the classifier whose features are compared; pixels if not given."""
    conditional: Literal["none", "concatenation", "projection"] = "none"
    """How both players are told the class: not; the one-hot label beside what they see; or so the
    generator, and the critic by how its features fit the class."""
    precision: Literal["float32", "bf16"] = "float32"
    """Of the nets' passes; params, losses and all numbers are in float32."""
    patience: wb.Count | None = None
    """Stop after as many epochs without a smaller Fréchet distance, and use the best epoch."""
    schedule: ClassVar[str] = "constant"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss == "wasserstein" and self.critic != "spectral_norm":
            raise ValueError(
                f"critic: got {self.critic!r} with the wasserstein loss, which falls without end "
                "unless the critic's slope is bounded; expected spectral_norm"
            )


def run(config: Config) -> dict[str, Any]:
    """Trains the players of `config`; returns what result.json holds."""
    out = wb.begin(config)
    images, validation, test = sets = wb.load_images(config)
    train_x, validation_x, test_x = images.images, validation.images[:JUDGED], test.images
    pixels, features = (wb.load_features(of, train_x.shape[1:]) for of in (None, config.features))
    compute = jax.jit(features)
    key_init, key_fit, key_watch, key_test = config.keys(4)
    told = config.conditional != "none"
    num_classes, train_y, held_out_y, test_y = wb.labels_of(sets, wanted=told)
    classifier = wb.known_classes(config.features, key_test, sets) if told else None
    model = make_model(config, train_x.shape[1:], num_classes)
    optimizer = optax.adam(config.learning_rate, b1=0.5)
    losses = game_losses(model, GAN_LOSSES[config.loss]())
    of_pixels = game_update(losses, optimizer, optimizer, ema_decay=config.ema_decay)

    def update(game: Game, key: Key, batch: tuple[Array, Array]) -> tuple[Game, Info]:
        key_x, key_update = jax.random.split(key)
        x = images.prepare(key_x, batch[0])
        return of_pixels(game, key_update, (x, batch[1]) if told else x)

    def samples(generator: Variables, key: Key, y: Array | np.ndarray) -> Array:
        z = model.sample_latent(key, len(y))
        inputs = (z, jnp.asarray(y)) if told else z
        return wb.generated_images(model.generate, generator, inputs)

    @jax.jit
    def judge(generator: Variables, key: Key, held_out: tuple[Array, RepetitionScale]) -> Info:
        fakes, (reals, scale) = samples(generator, key, np.resize(held_out_y, JUDGED)), held_out
        distance = frechet_distance(reals, features(fakes[: len(reals)])).value
        return {"frechet": distance, **repetition(pixels(fakes[:PAIRED]), scale)._asdict()}

    shown_y = np.arange(SHOWN) % num_classes
    scale = repetition_scale(pixels(train_x), pixels(validation_x[:PAIRED]), share=NEAR)
    generator, frames = wb.train(
        out,
        jax.jit(lambda key: init_game(key, model, optimizer, optimizer, ema=True))(key_init),
        update,
        (train_x, train_y),
        judge,
        key=key_fit,
        judge_key=key_watch,
        held_out=(compute(validation_x), scale),
        evaluated=lambda game: game.generator.averaged,
        look=lambda generator: samples(generator, jax.random.clone(key_watch), shown_y),
        monitor="frechet",
        better="lower",
        patience=config.patience,
    )
    fakes = np.asarray(jax.jit(samples)(generator, jax.random.clone(key_test), test_y))
    others = np.concatenate([validation.images, train_x])[: len(test_x)]
    of_test, of_fakes, of_others = map(compute, (test_x, fakes, others))
    records = out.records()
    last = records[len(frames) - 2]  # the epoch that this generator is of
    result = {
        "frechet": float(frechet_distance(of_test, of_fakes).value),
        "frechet_of_reals": float(frechet_distance(of_test, of_others).value),
        "frechet_at_first": records[0]["validation_frechet"],
        "duplicates": last["validation_duplicates"],
        "duplicates_of_reals": NEAR,
        "distance_to_train": last["validation_distance_to_train"],
        "critic_accuracy": last["train_critic_accuracy"],
    }
    kind = "features" if config.features else "pixels"
    rows = [
        [f"Fréchet distance of {kind}", result["frechet"], result["frechet_of_reals"]],
        ["share of near duplicates", result["duplicates"], result["duplicates_of_reals"]],
        ["distance to the training images", result["distance_to_train"], 1.0],
        ["accuracy of the critic", result["critic_accuracy"], ""],
    ]
    neighbors = train_x[np.asarray(nearest(pixels(fakes[: 3 * SHOWN]), pixels(train_x)).which)]
    frechet = result["frechet"]
    figures = wb.draw_image_game(
        frames, fakes, neighbors, records, frechet=frechet, of=kind, loss=config.loss
    )
    if classifier is not None:
        report = wb.report_classes(classifier, sets, fakes, features)
        result, rows = {**result, **report.result}, rows + report.rows
        figures["classes"] = report.picture
    title = f"DCGAN on {config.dataset}, {len(records)} epochs"
    return out.finish(result, figures, [wb.Table(title, ["", "samples", "held-out images"], rows)])


def make_model(
    config: Config, image_shape: tuple[int, ...], num_classes: int = 1
) -> Gan | ConditionalGan:
    """Returns the players, with two doublings or as many as lead down to an odd size or to 4x4."""
    precision = PRECISIONS[config.precision]
    channels, spectral = dcgan_channels(image_shape, config.width), config.critic == "spectral_norm"
    height, width, colors = image_shape
    generator = DCGANGenerator((height, width, colors), channels[::-1])
    critic = DCGANCritic(channels, batch_norm=not spectral, spectral_norm=spectral)
    sizes = {"latent_size": config.latent_size, "x_shape": image_shape}
    if config.conditional == "none":
        return gan(precision(generator), precision(critic), **sizes)
    judge = labeled(critic, num_classes)
    if config.conditional == "projection":
        judge = ProjectionCritic(critic, num_classes, spectral_norm=spectral)
    generate, judge = precision(labeled(generator, num_classes)), precision(judge)
    return conditional_gan(generate, judge, num_classes=num_classes, **sizes)


if __name__ == "__main__":
    wb.main(Config, run)

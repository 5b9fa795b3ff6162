"""DCGAN: images from an adversarial game of convolutional nets, judged while they are learned.

A generator of transposed convolutions and a critic of strided ones move in turn (Goodfellow et al.
2014; Radford et al. 2016). What is looked at is an average of the generator's params and batch
statistics. After every epoch its samples are compared with held-out images: by the Fréchet distance
between features, and for collapse, by how many are near duplicates and how near they come to a
training image.

  python -m experiments dcgan

trains on the embedded digits, with pixels for features. Measured, one seed: Fréchet distance .253
to the 300 test images, where as many others of the data come to .211; 1% of near duplicates, as in
the data; some 130 seconds of one CPU core. Features worth the name are a trained classifier's:

  python -m experiments classifier --dataset fashion_mnist --epochs 5 --batch-size 128 \
    --run-dir runs/fashion
  python -m experiments dcgan --dataset fashion_mnist --features runs/fashion \
    --width 32 --epochs 8 --learning-rate 5e-4

Measured so, one seed: Fréchet distance 1.41 to the 10,000 test images (other images of the data
come to .04), 8.4 after the first epoch and still falling at the eighth; no near duplicates, the
training images 1.3 times as far as from held-out ones. 358 seconds on two CPU cores beside other
work, and 50 for the classifier.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import jax
import numpy as np
import optax
from jaxtyping import Array, UInt8

from jaxgen import workbench as wb
from jaxgen.metrics import RepetitionScale, frechet_distance, repetition, repetition_scale
from jaxgen.models import Gan, gan
from jaxgen.nets import DCGANCritic, DCGANGenerator, dcgan_channels
from jaxgen.objectives import GAN_LOSSES, game_losses
from jaxgen.pairwise import nearest
from jaxgen.pictures import geometric_steps, image_grid, learning_curve, side_by_side
from jaxgen.train import Game, game_update, init_game
from jaxgen.types import Info, Key, Variables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Bytes: TypeAlias = UInt8[np.ndarray, "n height width channels"]

JUDGED, PAIRED = 2000, 200
"""Samples, and at most as many held-out images, that epochs are judged by, and one by one."""
NEAR = 0.01
"""Share of held-out images that have another one within the radius of a duplicate."""
FRAMES, SHOWN = 8, 10
"""Rows of the picture of samples over time, and images in each."""


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
    images, validation, test = wb.load_images(config)
    train_x, validation_x, test_x = images.images, validation.images[:JUDGED], test.images
    pixels, features = (wb.load_features(of, train_x.shape[1:]) for of in (None, config.features))
    compute = jax.jit(features)
    model = make_model(config, train_x.shape[1:])
    key_init, key_fit, key_watch, key_test = config.keys(4)
    optimizer = optax.adam(config.learning_rate, b1=0.5)
    losses = game_losses(model, GAN_LOSSES[config.loss]())
    of_pixels = game_update(losses, optimizer, optimizer, ema_decay=config.ema_decay)

    def update(game: Game, key: Key, batch: Array) -> tuple[Game, Info]:
        key_x, key_update = jax.random.split(key)
        return of_pixels(game, key_update, images.prepare(key_x, batch))

    def samples(generator: Variables, key: Key, count: int) -> Array:
        return wb.generated_images(model.generate, generator, model.sample_latent(key, count))

    @jax.jit
    def judge(generator: Variables, key: Key, held_out: tuple[Array, RepetitionScale]) -> Info:
        fakes, (reals, scale) = samples(generator, key, JUDGED), held_out
        distance = frechet_distance(reals, features(fakes[: len(reals)])).value
        return {"frechet": distance, **repetition(pixels(fakes[:PAIRED]), scale)._asdict()}

    scale = repetition_scale(pixels(train_x), pixels(validation_x[:PAIRED]), share=NEAR)
    generator, frames = wb.train(
        out,
        jax.jit(lambda key: init_game(key, model, optimizer, optimizer, ema=True))(key_init),
        update,
        train_x,
        judge,
        key=key_fit,
        judge_key=key_watch,
        held_out=(compute(validation_x), scale),
        evaluated=lambda game: game.generator.averaged,
        look=lambda generator: samples(generator, jax.random.clone(key_watch), SHOWN),
        monitor="frechet",
        better="lower",
        patience=config.patience,
    )
    fakes = np.asarray(jax.jit(samples, static_argnums=2)(generator, key_test, len(test_x)))
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
    figures = {
        **draw_images(frames, fakes, neighbors, result["frechet"]),
        **draw_curves(config, records, kind),
    }
    title = f"DCGAN on {config.dataset}, {len(records)} epochs"
    return out.finish(result, figures, [wb.Table(title, ["", "samples", "held-out images"], rows)])


def make_model(config: Config, image_shape: tuple[int, ...]) -> Gan:
    """Returns the players, with two doublings or as many as lead down to an odd size or to 4x4."""
    channels, spectral = dcgan_channels(image_shape, config.width), config.critic == "spectral_norm"
    height, width, colors = image_shape
    return gan(
        DCGANGenerator((height, width, colors), channels[::-1]),
        DCGANCritic(channels, batch_norm=not spectral, spectral_norm=spectral),
        latent_size=config.latent_size,
        x_shape=image_shape,
    )


def draw_images(frames: Bytes, fakes: Bytes, neighbors: Bytes, frechet: float) -> dict[str, Figure]:
    """Returns samples, samples over time, and samples beside their neighbors in the data."""
    moments = geometric_steps(len(frames) - 1, FRAMES)  # most happens early
    over_time = {f"epoch {moment}": frames[moment] / 255 for moment in moments}
    beside = {"sample": fakes[: len(neighbors)] / 255, "nearest": neighbors / 255}
    return {
        "samples": image_grid(fakes[:100] / 255, title=f"Samples: Fréchet distance {frechet:.3g}"),
        "over_time": side_by_side(over_time, title="The same latents over time"),
        "neighbors": side_by_side(beside, title="Samples, each above the nearest training image"),
    }


def draw_curves(config: Config, records: list[dict[str, Any]], kind: str) -> dict[str, Figure]:
    """Returns the Fréchet distance and the state of the game over time."""
    frechet = {"validation_frechet": "samples and held-out images"}
    game = {
        "train_critic_accuracy": "accuracy of the critic",
        "validation_duplicates": "near duplicates, share of the samples",
        "validation_distance_to_train": "distance to the data over held-out images'",
    }
    title, ylabel = "Fréchet distance over time", f"Fréchet distance of {kind}"
    rules = f"The game of the loss {config.loss}"
    return {
        "frechet": learning_curve(records, frechet, title=title, ylabel=ylabel),
        "critic": learning_curve(records, game, title=rules, ylabel="share, or ratio of distances"),
    }


if __name__ == "__main__":
    wb.main(Config, run)

"""DCGAN: images from an adversarial game of convolutional nets, judged while they are learned.

A generator of transposed convolutions and a critic of strided ones move in turn (Goodfellow et al.
2014; Radford et al. 2016). What is looked at is an average of the generator's params and batch
statistics.
After every epoch its samples are compared with held-out images: by the Fréchet distance between
features, and for collapse, by how many are near duplicates and how near they come to a training
image.

  python -m experiments dcgan

trains on the embedded digits, with pixels for features. Measured: Fréchet distance .253 to the 300
test images, where as many others of the data come to .211; 1% of near duplicates, as in the data;
some 130 seconds of one CPU core. Features worth the name are a trained classifier's:

  python -m experiments classifier --dataset fashion_mnist --epochs 5 --batch-size 128 \
    --run-dir runs/fashion
  python -m experiments dcgan --dataset fashion_mnist --features runs/fashion \
    --width 32 --epochs 8 --learning-rate 5e-4

Measured so: Fréchet distance 1.41 to the 10,000 test images (other images of the data come to .04),
8.4 after the first epoch and still falling at the eighth; no near duplicates, the training images
1.3 times as far as from held-out ones. 358 seconds on two CPU cores beside other work, and 50 for
the classifier.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from jaxtyping import Array, Float, UInt8

from jaxgen.checks import at_least, one_of
from jaxgen.data import ImageSet, load
from jaxgen.metrics import duplicate_share, frechet_distance
from jaxgen.models import Gan, gan
from jaxgen.nets import DCGANCritic, DCGANGenerator
from jaxgen.objectives import GAN_LOSSES, game_losses
from jaxgen.pictures import geometric_steps, image_grid, learning_curve
from jaxgen.train import (
    Game,
    Update,
    data_mesh,
    game_update,
    init_game,
    replicate,
    scan_epoch,
)
from jaxgen.types import Info, Key, Variables
from jaxgen.workbench import (
    Directory,
    ImageConfig,
    RunDirectory,
    fit,
    image_features,
    load_classifier,
    main,
    new_path,
    open_run,
    print_table,
    require_devices,
    tensorboard,
)

JUDGED = 2000
"""Samples, and at most as many held-out images, that the epochs are judged by."""
PAIRED = 200
"""Of these, as many are compared one by one."""
FRAMES = 8
"""Rows of the picture of samples over time."""
SHOWN = 10
"""Images in such a row."""
NEAR = 0.01
"""Share of held-out images that have another one within the radius of a duplicate."""

Features = Callable[[UInt8[Array, "n height width channels"]], Float[Array, "n features"]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
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
    width: int = 64
    """Channels of the largest feature map; each halving doubles them."""
    latent_size: int = 64
    """Dimensions of z."""
    ema_decay: float = 0.999
    """Of the average of the generator's params."""
    features: Directory = None
    """Run directory of the classifier whose features are compared; pixels if not given."""
    patience: int | None = None
    """Stop after as many epochs without a smaller Fréchet distance, and use the best epoch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("loss", self.loss, GAN_LOSSES)
        one_of("critic", self.critic, ("batch_norm", "spectral_norm"))
        for name in ("width", "latent_size"):
            at_least(name, getattr(self, name), 1)
        if self.patience is not None:
            at_least("patience", self.patience, 1)
        if not 0 < self.ema_decay < 1:
            raise ValueError(f"ema_decay: got {self.ema_decay}, expected a number in (0, 1)")
        if self.loss == "wasserstein" and self.critic != "spectral_norm":
            raise ValueError(
                f"critic: got {self.critic!r} with the wasserstein loss, which falls without end "
                "unless the critic's slope is bounded; expected spectral_norm"
            )


@struct.dataclass
class Watched:
    """The game, and images of the same latents after every epoch."""

    game: Game
    frames: UInt8[Array, "epochs shown height width channels"]


def run(config: Config) -> dict[str, Any]:
    """Trains the players of `config`; returns what result.json holds."""
    require_devices(config.devices)
    train, validation, test = (images(config, s) for s in ("train", "validation", "test"))
    if config.batch_size > len(train.images):
        raise ValueError(
            f"batch_size: got {config.batch_size}, expected at most {len(train.images)}, the "
            f"training images of {config.dataset}"
        )
    features = make_features(config, train.images.shape[1:])
    model = make_model(config, train.images.shape[1:])
    key_init, key_fit, key_watch, key_test = jax.random.split(jax.random.key(config.seed), 4)
    optimizer = optax.adam(config.learning_rate, b1=0.5)
    update = make_update(config, model, optimizer, train)
    epoch = scan_epoch(update, config.batch_size)
    out = open_run(config.run_dir or new_path("dcgan"), config, resume=config.resume)
    print(f"run directory: {out.path}")
    mesh = data_mesh(config.devices)
    on_device = replicate(train.images, mesh)
    judge = make_judge(features, train.images, validation.images[:JUDGED])

    def look(generator: Variables) -> UInt8[Array, "shown height width channels"]:
        return samples(model, generator, jax.random.clone(key_watch), SHOWN)

    @jax.jit
    def start(key: Key) -> Watched:
        game = init_game(key, model, optimizer, optimizer, ema=True)
        first = look(game.generator.averaged)
        frames = jnp.zeros((config.epochs + 1, *first.shape), jnp.uint8).at[0].set(first)
        return Watched(game=game, frames=frames)

    @partial(jax.jit, donate_argnums=0)
    def one_epoch(state: Watched, key: Key, index: Array, data: Array) -> tuple[Watched, Info]:
        game, infos = epoch(state.game, key, data)
        frame = look(game.generator.averaged)
        return Watched(game=game, frames=state.frames.at[index + 1].set(frame)), infos

    @jax.jit
    def validate(used: Any) -> dict[str, Array]:
        return judge(samples(model, used["generator"], jax.random.clone(key_watch), JUDGED))

    used = fit(
        out,
        replicate(start(key_init), mesh),
        lambda state, key, index: one_epoch(state, key, jnp.asarray(index), on_device),
        validate,
        key=key_fit,
        epochs=config.epochs,
        patience=config.patience,
        monitor="minus_frechet",
        evaluated=lambda state: {
            "generator": state.game.generator.averaged,
            "frames": state.frames,
        },
        watch=tensorboard(out.path) if config.tensorboard else None,
    )
    trained = time.monotonic()
    used = jax.device_put(used, mesh.devices.flat[0])
    fakes = np.asarray(
        jax.jit(samples, static_argnums=(0, 3))(
            model, used["generator"], key_test, len(test.images)
        )
    )
    result = evaluate(features, train, validation, test, fakes, out)
    pictures = make_pictures(config, out, train, used["frames"], fakes, result)
    training_seconds = out.metrics()[-1]["seconds"]
    result |= {
        "training_seconds": training_seconds,
        "seconds": training_seconds + time.monotonic() - trained,
    }
    out.write_result(result)
    report(config, result, out, pictures)
    return result


def images(config: Config, split: str) -> ImageSet:
    """Returns one split of the images."""
    try:
        return load(config.dataset, split, data_dir=config.data_dir)
    except ValueError as error:  # what `load` calls its name is --dataset here
        raise ValueError(re.sub("^name:", "dataset:", str(error))) from None


def make_features(config: Config, image_shape: tuple[int, ...]) -> Features:
    """Returns the classifier's features, or the pixels themselves."""
    if config.features is None:
        return lambda images: images.reshape(len(images), -1).astype(jnp.float32) / 255.0
    classifier = load_classifier(config.features)
    if classifier.image_shape != image_shape:
        raise ValueError(
            f"features: got a classifier of images of shape {classifier.image_shape}, expected "
            f"{image_shape}, those of {config.dataset}"
        )
    return partial(image_features, classifier)


def make_model(config: Config, image_shape: tuple[int, ...]) -> Gan:
    """Returns the players, with two doublings or as many as lead down to an odd size or to 4x4."""
    height, width, image_channels = image_shape
    channels = [config.width]
    small = min(height, width) // 2
    while small % 2 == 0 and (small > 4 or len(channels) < 2):
        channels.append(2 * channels[-1])
        small //= 2
    spectral = config.critic == "spectral_norm"
    return gan(
        DCGANGenerator((height, width, image_channels), tuple(channels[::-1])),
        DCGANCritic(tuple(channels), batch_norm=not spectral, spectral_norm=spectral),
        latent_size=config.latent_size,
        x_shape=image_shape,
    )


def make_update(
    config: Config, model: Gan, optimizer: optax.GradientTransformation, train: ImageSet
) -> Update:
    """Returns the alternating update of a batch of bytes, split over the devices."""
    update = game_update(
        game_losses(model, GAN_LOSSES[config.loss]()),
        optimizer,
        optimizer,
        ema_decay=config.ema_decay,
        mesh=data_mesh(config.devices),
    )

    def of_bytes(game: Game, key: Key, images: Array) -> tuple[Game, Info]:
        key_x, key_update = jax.random.split(key)
        return update(game, key_update, train.prepare(key_x, images))

    return of_bytes


def samples(
    model: Gan, generator: Variables, key: Key, count: int
) -> UInt8[Array, "count height width channels"]:
    """Returns samples in bytes, as the data are, a hundred at a time."""

    def some(z: Array) -> Array:
        x, _ = model.generate(generator, z[None], train=False)
        return jnp.rint(255 * x[0]).astype(jnp.uint8)

    return jax.lax.map(some, model.sample_latent(key, count), batch_size=100)


def make_judge(
    features: Features,
    train: UInt8[np.ndarray, "n height width channels"],
    held_out: UInt8[np.ndarray, "m height width channels"],
) -> Callable[[Array], dict[str, Array]]:
    """Returns the function from samples to the numbers that compare them with held-out images."""
    real = jax.jit(features)(jnp.asarray(held_out))
    data = flat(jnp.asarray(train))
    some = flat(jnp.asarray(held_out[:PAIRED]))
    between = jnp.sort(jnp.linalg.norm(some[:, None] - some, axis=-1), axis=1)[:, 1]
    radius = jnp.quantile(between, NEAR)
    to_train = jnp.median(nearest(some, data)[0])

    def judge(fakes: Array) -> dict[str, Array]:
        distance = frechet_distance(real, features(fakes[: len(held_out)])).value
        pairs = flat(fakes[:PAIRED])
        return {
            "frechet": distance,
            "minus_frechet": -distance,
            # A collapsed generator repeats itself, one that remembers repeats the training images.
            "duplicates": duplicate_share(pairs, radius),
            "distance_to_train": jnp.median(nearest(pairs, data)[0]) / to_train,
        }

    return judge


def flat(images: UInt8[Array, "n height width channels"]) -> Float[Array, "n pixels"]:
    """Returns images as rows of numbers in [0, 1]."""
    return images.reshape(len(images), -1).astype(jnp.float32) / 255.0


def nearest(x: Float[Array, "n pixels"], data: Float[Array, "m pixels"]) -> tuple[Array, Array]:
    """Returns the distance of every x to the nearest row of `data`, and which it is."""
    squared = jnp.sum(x**2, axis=1)[:, None] + jnp.sum(data**2, axis=1) - 2 * x @ data.T
    return jnp.sqrt(jnp.maximum(jnp.min(squared, axis=1), 0.0)), jnp.argmin(squared, axis=1)


def evaluate(
    features: Features,
    train: ImageSet,
    validation: ImageSet,
    test: ImageSet,
    fakes: UInt8[np.ndarray, "n height width channels"],
    out: RunDirectory,
) -> dict[str, Any]:
    """Returns the Fréchet distances to the test images and the last epoch's report."""
    compute = jax.jit(features)
    real = compute(jnp.asarray(test.images))
    others = np.concatenate([validation.images, train.images])[: len(test.images)]
    last = out.metrics()[-1]
    of_epochs = [record["validation_frechet"] for record in out.metrics()]
    return {
        "frechet": float(frechet_distance(real, compute(jnp.asarray(fakes))).value),
        "frechet_of_reals": float(frechet_distance(real, compute(jnp.asarray(others))).value),
        "frechet_at_first": of_epochs[0],
        "duplicates": last["validation_duplicates"],
        "duplicates_of_reals": NEAR,
        "distance_to_train": last["validation_distance_to_train"],
        "critic_accuracy": last["train_critic_accuracy"],
    }


def make_pictures(
    config: Config,
    out: RunDirectory,
    train: ImageSet,
    frames: UInt8[Array, "epochs shown height width channels"],
    fakes: UInt8[np.ndarray, "n height width channels"],
    result: dict[str, Any],
) -> list[str]:
    """Writes samples, samples over time, samples beside their neighbors, and the curves."""
    records = out.metrics()
    # Most happens early: moments in a geometric row.
    moments = geometric_steps(len(records), FRAMES)
    over_time = np.concatenate([np.asarray(frames[moment]) for moment in moments])
    rows = np.asarray(fakes[: 3 * SHOWN]).reshape(3, SHOWN, *fakes.shape[1:])
    found = nearest(flat(jnp.asarray(fakes[: 3 * SHOWN])), flat(jnp.asarray(train.images)))[1]
    neighbors = train.images[np.asarray(found)].reshape(rows.shape)
    beside = np.stack([rows, neighbors], axis=1).reshape(-1, *fakes.shape[1:])
    epochs = ", ".join(str(moment) for moment in moments)
    figures = {
        "samples": image_grid(
            fakes[:100] / 255, title=f"DCGAN: samples, Fréchet distance {result['frechet']:.3g}"
        ),
        "over_time": image_grid(
            over_time / 255, columns=SHOWN, title=f"The same latents after epochs {epochs}"
        ),
        "neighbors": image_grid(
            beside / 255, columns=SHOWN, title="Samples, each above the nearest training image"
        ),
        "frechet": learning_curve(
            records,
            {"validation_frechet": "samples and held-out images"},
            ylabel="Fréchet distance of " + ("features" if config.features else "pixels"),
            title="Fréchet distance over time",
        ),
        "critic": learning_curve(
            records,
            {
                "train_critic_accuracy": "accuracy of the critic",
                "validation_duplicates": "near duplicates among the samples",
                "validation_distance_to_train": "distance to the data, of held-out images'",
            },
            ylabel="share",
            title=f"The game of the loss {config.loss}",
        ),
    }
    return [str(out.save_picture(name, figure)) for name, figure in figures.items()]


def report(config: Config, result: dict[str, Any], out: RunDirectory, pictures: list[str]) -> None:
    """Prints the table of the result and where everything is."""
    kind = "features" if config.features else "pixels"
    rows: list[list[Any]] = [
        [f"Fréchet distance of {kind}", result["frechet"], result["frechet_of_reals"]],
        ["share of near duplicates", result["duplicates"], result["duplicates_of_reals"]],
        ["distance to the training images", result["distance_to_train"], 1.0],
        ["accuracy of the critic", result["critic_accuracy"], None],
    ]
    print_table(
        f"DCGAN on {config.dataset}, {config.epochs} epochs",
        ["", "samples", "held-out images"],
        rows,
    )
    print(f"{result['seconds']:.0f} seconds")
    print("pictures:", *pictures, sep="\n  ")
    print(f"everything: {out.path}")


if __name__ == "__main__":
    main(Config, run)

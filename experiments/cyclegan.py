"""CycleGAN: translations between two domains, of two folders of images or of a prepared set.

Two generators, x to y and back, against a critic of each domain, which sees patches. What comes
back after both ways shall be what went in (Zhu et al. 2017). No pairs are asked for. An epoch is
judged by what needs none: the error of the cycle when the translation is rounded to 8 bits, which
carry no hidden message, and how far translations are from the domain that they should be of.

  python -m experiments cyclegan

translates digits to other digits, inverted. Measured, one seed: the error of the cycle, both ways
added, falls from .39 after the first epoch to .082 after the twentieth, and the Fréchet distance of
pixels from 29 to 1.15; 50 CPU seconds beside other work. Photographs, with the published nets and
settings (Horse2zebra from two folders, or `--dataset cycle_gan/horse2zebra` where TFDS prepared
it):

  python -m experiments cyclegan --x-folder horse2zebra/trainA --y-folder horse2zebra/trainB \
    --size 256 --channels 3 --enlarge 286 --flip --width 64 --halvings 2 --blocks 9 --edge 7 \
    --critic-width 64 --critic-strides 2 2 2 1 --batch-size 1 --learning-rate 2e-4 \
    --identity-weight 5 --ema-decay .999 --epochs 200

needs a GPU. From the compilation of a step: .4 GiB of players, optimizers and pools, and 1.5 GiB
beside them (without the workspace of cuDNN); the photographs are .44 GiB as bytes. It has not been
run: a test takes two steps at that size with thin nets.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.divergences import median_heuristic, rbf
from jaxgen.metrics import unpaired_scores
from jaxgen.models import CycleGan, cyclegan
from jaxgen.nets import PatchCritic, ResNetGenerator
from jaxgen.objectives import cycle_losses
from jaxgen.pictures import learning_curve, side_by_side
from jaxgen.train import Game, game_update, image_pool, init_game, simultaneous
from jaxgen.types import Info, Key, Variables

JUDGED, SHOWN = 100, 8
"""Images of each domain that epochs are judged by, and that a picture shows."""
ROWS = {"to_y": ("x", "to y", "and back"), "to_x": ("y", "to x", "and back")}
NUMBERS = {
    "rounded_cycle": "cycle in 8 bits, L1, both ways",
    "frechet": "Fréchet distance of pixels, both ways",
    "mmd": "squared MMD of pixels, both ways",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.ImageConfig):
    """Two domains, two generators, two critics, and how they are trained."""

    dataset: str = "digits"
    """Where no folders are given: a set whose name begins with cycle_gan/, or one that is split in
    halves, the second inverted."""
    x_folder: wb.Directory = None
    """Of PNG or JPEG images of X."""
    y_folder: wb.Directory = None
    """Of images of Y."""
    size: wb.Count | None = None
    """Height and width that the images of folders are resized to; they need one if not given."""
    channels: wb.Count | None = None
    """Of the images of folders, to convert all to: 1 (gray), 3 (colors) or 4 (with alpha)."""
    enlarge: wb.Count | None = None
    """Height and width, in training, from which a window of the images' own size is cut."""
    flip: bool = False
    """Mirror half of the images in training."""
    epochs: wb.Count = 20
    batch_size: wb.Count = 32
    """Images of each domain per update."""
    learning_rate: wb.Positive = 5e-4
    """Of Adam (b1 = .5) for the first half, then down to zero along a line."""
    cycle_weight: wb.NonNegative = 10.0
    """Of what is lost on both ways."""
    identity_weight: wb.NonNegative = 0.0
    """Of what a generator changes of the domain that it leads to."""
    ema_decay: wb.Share = 0.99
    """Of the average of the generators' params, which is judged."""
    pool: wb.Count = 50
    """Past fakes that the critics are shown."""
    width: wb.Count = 16
    """Channels of a generator's first feature map."""
    halvings: wb.Whole = 0
    """Of the image, within a generator."""
    blocks: wb.Count = 2
    """Residual blocks of a generator."""
    edge: wb.Count = 3
    """Size of a generator's first and last kernel."""
    critic_width: wb.Count = 16
    """Channels of a critic's first feature map."""
    critic_strides: tuple[wb.Count, ...] = (2, 1)
    """Of a critic's layers before the last."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.x_folder is None) != (self.y_folder is None):
            raise ValueError("x_folder: got one folder alone, expected y_folder beside it")


def run(config: Config) -> dict[str, Any]:
    """Trains the players of `config`; returns what result.json holds."""
    out = wb.begin(config)
    folders = (config.x_folder, config.y_folder) if config.x_folder and config.y_folder else None
    train, held_out = wb.load_domains(config, folders, size=config.size, channels=config.channels)
    shapes = [tuple(of.shape[1:]) for of in train]
    model, steps = make_model(config, shapes), config.num_steps(max(map(len, train)))
    optimizer = wb.make_optimizer(config.learning_rate, steps, schedule="half_linear", b1=0.5)
    key_init, key_fit, key_judge = config.keys(3)
    losses = cycle_losses(
        model, cycle_weight=config.cycle_weight, identity_weight=config.identity_weight
    )
    of_pixels = game_update(
        losses, optimizer, optimizer, order=simultaneous, ema_decay=config.ema_decay
    )
    views = [wb.jittered(shape, enlarge=config.enlarge, flip=config.flip) for shape in shapes]

    def update(game: Game, key: Key, batch: tuple[Array, Array]) -> tuple[Game, Info]:
        key_update, *keys = jax.random.split(key, 3)
        x, y = (view(k, pixels) for view, k, pixels in zip(views, keys, batch, strict=True))
        return of_pixels(game, key_update, (x, y))

    judged = tuple(of[:JUDGED] / np.float32(255) for of in held_out)

    @jax.jit
    def judge(generators: Variables, key: Key, judged: tuple[Array, Array]) -> Info:
        x, y = judged
        kernel = rbf(median_heuristic(wb.pooled(x), wb.pooled(y)))
        forward, backward = translations(model, generators)
        return unpaired_scores(forward, backward, x, y, kernel, wb.pooled)._asdict()

    def look(generators: Variables) -> dict[str, tuple[Array, ...]]:
        there, back = translations(model, generators)
        x, y = (jnp.asarray(of[:SHOWN]) for of in judged)
        to_y, to_x = there(x), back(y)
        return {"to_y": (x, to_y, back(to_y)), "to_x": (y, to_x, there(to_x))}

    with wb.renamed("strides", "critic_strides"):
        start = jax.jit(lambda key: init_game(key, model, optimizer, optimizer, ema=True))(key_init)
    _, frames = wb.train(
        out,
        start,
        update,
        wb.Sets(train),
        judge,
        key=key_fit,
        judge_key=key_judge,
        held_out=judged,
        evaluated=lambda game: game.generator.averaged,
        look=look,
        monitor="rounded_cycle",
        better="lower",
    )
    records = out.records()
    result = {name: records[-1][f"validation_{name}"] for name in NUMBERS}
    result |= {f"{name}_at_first": records[0][f"validation_{name}"] for name in NUMBERS}
    rows = [[label, result[f"{name}_at_first"], result[name]] for name, label in NUMBERS.items()]
    named = {f"validation_{name}": label for name, label in NUMBERS.items()}
    figures = {
        name: side_by_side(dict(zip(ROWS[name], (of[-1] for of in rows), strict=True)))
        for name, rows in frames.items()
    }
    curve = learning_curve(records, named, title="Without pairs", ylabel="distance")
    figures["unpaired_scores"] = curve
    title = f"CycleGAN, {len(records)} epochs"
    return out.finish(result, figures, [wb.Table(title, ["", "epoch 1", "at the end"], rows)])


def make_model(config: Config, shapes: list[tuple[int, ...]]) -> CycleGan:
    """Returns the two generators and the critics of images of two shapes."""

    def generator(shape: tuple[int, ...]) -> ResNetGenerator:
        halvings, blocks = config.halvings, config.blocks
        return ResNetGenerator(shape[-1], config.width, halvings, blocks, config.edge)

    x_shape, y_shape = shapes
    return cyclegan(
        generator(y_shape),
        generator(x_shape),
        *[PatchCritic(config.critic_width, config.critic_strides)] * 2,
        x_shape=x_shape,
        y_shape=y_shape,
        pool=image_pool(config.pool),
    )


def translations(model: CycleGan, generators: Variables) -> list[Any]:
    """Returns the ways there and back, an image at a time, as the large ones ask for."""

    def way(apply: Any) -> Any:
        return lambda images: jax.lax.map(lambda x: apply(generators, x[None])[0][0], images)

    return [way(model.forward), way(model.backward)]


if __name__ == "__main__":
    wb.main(Config, run)

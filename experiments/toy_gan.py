"""A GAN on the line, seen whole: both densities, the critic, and the critic it should be.

Data of a known density p, a generator from one normal latent whose density q is found by quadrature
over that latent, and so the optimal critic D* = p / (p + q) beside the trained one. The value
V = E_p log D + E_q log(1 - D) at D* is 2 JSD(p, q) - log 4; as the generator learns the data, the
critic flattens to 1/2 and V comes to -log 4 = -1.386 (Goodfellow et al. 2014, figure 1 and theorem
1).

  python -m experiments toy_gan

Expect after 10,000 steps V = -1.386 at the trained critic and -1.382 at the optimal one, that is a
JSD of .002 nats. 31 seconds on two CPU cores of a busy machine.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from jax.nn import softplus
from jax.scipy.special import ndtri, xlogy
from jaxtyping import Array, Float

from jaxgen.checks import at_least, one_of
from jaxgen.distributions import IsotropicMixture, line
from jaxgen.models import Gan, gan
from jaxgen.nets import MLPCritic, MLPGenerator
from jaxgen.objectives import GAN_LOSSES, game_losses
from jaxgen.pictures import geometric_steps, learning_curve, legend_below, panels
from jaxgen.train import Game, data_mesh, game_update, init_game, replicate, scan_draws
from jaxgen.types import Info, Key
from jaxgen.workbench import (
    RunDirectory,
    TrainingConfig,
    fit,
    main,
    new_path,
    open_run,
    print_table,
    require_devices,
    tensorboard,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TARGETS: dict[str, Callable[[], IsotropicMixture]] = {
    "gaussian": lambda: line([1.0], 0.6),
    "mixture": lambda: line([-1.2, 1.4], [0.4, 0.7], [0.4, 0.6]),
}
LOW, HIGH, BINS = -5.0, 5.0, 250
LATENTS = 50_000
PANELS = 6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    """One density on the line and how a GAN learns it."""

    target: Literal["gaussian", "mixture"] = "gaussian"
    """N(1, .36), or two Gaussians apart."""
    loss: Literal["minimax", "non_saturating"] = "non_saturating"
    """The generator's loss; the critic's is the same in both."""
    epochs: int = 50
    """How often the densities are looked at."""
    steps_per_epoch: int = 200
    """Steps of the generator in each."""
    batch_size: int = 256
    """Reals, and as many fakes, per step of either player."""
    learning_rate: float = 2e-3
    """Of both players' Adam (b1 = .5), down to a hundredth along half a cosine."""
    critic_steps: int = 2
    """Of the critic per step of the generator."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("target", self.target, TARGETS)
        one_of("loss", self.loss, ("minimax", "non_saturating"))
        for name in ("steps_per_epoch", "critic_steps"):
            at_least(name, getattr(self, name), 1)


@struct.dataclass
class Frame:
    """What can be seen of a game on the line, at the centers of the bins.

    Attributes:
      density: the generator's.
      outputs: the critic's, raw.
    """

    density: Float[Array, "... bins"]
    outputs: Float[Array, "... bins"]


@struct.dataclass
class Watched:
    """The game, and how it looked after every epoch."""

    game: Game
    frames: Frame


def run(config: Config) -> dict[str, Any]:
    """Trains the game of `config`; returns what result.json holds."""
    require_devices(config.devices)
    target = TARGETS[config.target]()
    key_init, key_fit = jax.random.split(jax.random.key(config.seed))
    model = gan(
        MLPGenerator((32, 32), (1,), nn.tanh),
        MLPCritic((32, 32), nn.tanh),
        latent_size=1,
        x_shape=(1,),
    )
    steps = config.epochs * config.steps_per_epoch
    generator_optimizer, critic_optimizer = (
        optax.adam(optax.cosine_decay_schedule(config.learning_rate, n, alpha=0.01), b1=0.5)
        for n in (steps, steps * config.critic_steps)
    )
    mesh = data_mesh(config.devices)
    update = game_update(
        game_losses(model, GAN_LOSSES[config.loss]()),
        generator_optimizer,
        critic_optimizer,
        critic_steps=config.critic_steps,
        mesh=mesh,
    )
    draws = scan_draws(
        update,
        lambda key: jnp.asarray(
            target.sample(seed=key, sample_shape=config.batch_size * config.critic_steps)
        ),
        config.steps_per_epoch,
    )
    out = open_run(config.run_dir or new_path("toy_gan"), config, resume=config.resume)
    print(f"run directory: {out.path}")
    data_density = jnp.exp(target.log_prob(centers()[:, None]))

    @jax.jit
    def start(key: Key) -> Watched:
        game = init_game(key, model, generator_optimizer, critic_optimizer)
        first = look(model, game)
        shape = (config.epochs + 1, BINS)
        frames = jax.tree.map(lambda array: jnp.zeros(shape).at[0].set(array), first)
        return Watched(game=game, frames=frames)

    @partial(jax.jit, donate_argnums=0)
    def one_epoch(state: Watched, key: Key, index: Array) -> tuple[Watched, Info]:
        game, infos = draws(state.game, key)
        frames = jax.tree.map(
            lambda array, new: array.at[index + 1].set(new), state.frames, look(model, game)
        )
        return Watched(game=game, frames=frames), infos

    @jax.jit
    def validate(used: Any) -> dict[str, Array]:
        return values(data_density, look(model, used["game"]))

    used = fit(
        out,
        replicate(start(key_init), mesh),
        lambda state, key, index: one_epoch(state, key, jnp.asarray(index)),
        validate,
        key=key_fit,
        epochs=config.epochs,
        monitor="value",
        evaluated=lambda state: {"game": state.game, "frames": state.frames},
        watch=tensorboard(out.path) if config.tensorboard else None,
    )
    result: dict[str, Any] = jax.device_get(validate(used))
    result |= {"minus_log_4": -math.log(4), "seconds": out.metrics()[-1]["seconds"]}
    figures = {
        "densities": draw_frames(config, np.asarray(data_density), used["frames"]),
        "value": learning_curve(
            out.metrics(),
            {"validation_value": "the critic's V", "validation_best_value": "2 JSD - log 4"},
            ylabel="nats",
            title=f"The value of the game comes to -log 4 = {-math.log(4):.3f}",
        ),
    }
    pictures = [str(out.save_picture(name, figure)) for name, figure in figures.items()]
    out.write_result(result)
    report(config, result, out, pictures)
    return result


def centers() -> Float[Array, "bins"]:
    """Returns the middles of the bins."""
    width = (HIGH - LOW) / BINS
    return LOW + width * (jnp.arange(BINS) + 0.5)


def look(model: Gan, game: Game) -> Frame:
    """Returns the generator's density and the critic's outputs, without sampling.

    The latents are the quantiles of N(0, 1) in equal steps, so that a bin's count has almost no
    noise. What falls outside the bins is left out.
    """
    z = ndtri((jnp.arange(LATENTS) + 0.5) / LATENTS)
    x, _ = model.generate(game.generator.variables, z[:, None], train=False)
    counts, _ = jnp.histogram(x, bins=BINS, range=(LOW, HIGH))
    outputs, _ = model.criticize(game.critic.variables, centers()[:, None], train=False)
    return Frame(density=counts * (BINS / (HIGH - LOW) / LATENTS), outputs=outputs)


def values(p: Float[Array, "bins"], frame: Frame) -> dict[str, Array]:
    """Returns V at the trained and at the optimal critic, the JSD and q's mean, in nats."""
    q, width = frame.density, (HIGH - LOW) / BINS
    m = (p + q) / 2
    # x log x - x log m, with 0 log 0 = 0: exact where either density vanishes.
    jsd = width * jnp.sum(xlogy(p, p) - xlogy(p, m) + xlogy(q, q) - xlogy(q, m)) / 2
    value = -width * jnp.sum(p * softplus(-frame.outputs) + q * softplus(frame.outputs))
    return {
        "value": value,
        "best_value": 2 * jsd - math.log(4),
        "jsd": jsd,
        "mean": width * jnp.sum(q * centers()),
    }


def draw_frames(config: Config, p: Float[np.ndarray, "bins"], frames: Frame) -> Figure:
    """Returns both densities and both critics at moments of the training."""
    x = np.asarray(centers())
    moments = geometric_steps(config.epochs, PANELS)
    titles = [f"step {moment * config.steps_per_epoch}" for moment in moments]
    figure, all_axes = panels(
        titles, columns=-(-PANELS // 2), size=(3.0, 2.6), sharex=True, sharey=True
    )
    for axes, moment in zip(all_axes, moments, strict=True):
        q, outputs = np.asarray(frames.density[moment]), np.asarray(frames.outputs[moment])
        axes.plot(x, p, ":", color="black", lw=1.8, label="data")
        axes.plot(x, q, color="C2", lw=1.5, label="generator")
        axes.plot(x, 1 / (1 + np.exp(-outputs)), color="C0", lw=1.5, label="critic")
        both = p + q > 1e-4  # elsewhere the optimal critic is a quotient of nothings
        axes.plot(x[both], (p / np.maximum(p + q, 1e-4))[both], "--", color="C0", lw=1.0,
                  label="optimal critic")  # fmt: skip
        axes.set(xlim=(-3.5, 4.5), ylim=(0, 1.4))
    legend_below(figure, all_axes[0])
    return figure


def report(config: Config, result: dict[str, Any], out: RunDirectory, pictures: list[str]) -> None:
    """Prints the table of the result and where everything is."""
    rows = [
        ["value of the game, trained critic", result["value"]],
        ["value at the optimal critic, 2 JSD - log 4", result["best_value"]],
        ["-log 4", result["minus_log_4"]],
        ["JSD of data and generator", result["jsd"]],
    ]
    title = f"A GAN on the line ({config.target}), {config.epochs * config.steps_per_epoch} steps"
    print_table(title, ["quantity", "nats"], [[name, float(value)] for name, value in rows])
    print(f"{result['seconds']:.0f} seconds")
    print("pictures:", *pictures, sep="\n  ")
    print(f"everything: {out.path}")


if __name__ == "__main__":
    main(Config, run)

"""f-GANs on a ring of eight Gaussians: which divergence's game finds the modes.

Each of eleven divergences sets a game: the critic raises its bound E_p t - E_q f*(t), and the
generator lowers it or, with the trick, raises E_q t: for the divergence GAN that is the
non-saturating loss. Nets, optimizers, reals and latents are the same in all. (Nowozin et al. 2016,
algorithm 1 and section 3.2.)

  python -m experiments f_gan_ring
  python -m experiments f_gan_ring --divergences kl reverse_kl --no-trick

Measured with the trick, one seed, 2,500 steps (share of samples within three standard deviations of
a mode; of the data, .99): all eight modes by Jensen-Shannon and GAN (.43; .42 for weight 1/2, the
same game but for a factor), KL (.39), Pearson (.29) and alpha 1.5 (.28). Four of the rest have a t
that falls like -e^(-cv) on fakes that the critic is sure of: squared Hellinger stays a wide ring
(.01), Jeffrey keeps to a third of it (three modes, .04), reverse KL and Neyman overflow (epochs 12
and 2 of 20). Total variation's critic saturates, and the generator leaves the ring far behind (no
mode, a bound of .005). Not measured: --no-trick, other seeds. 4 seconds each on two CPU cores.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.divergences import DIVERGENCES
from jaxgen.objectives import GanLoss, activated_f_gan, f_gan, game_losses
from jaxgen.pictures import scatter_strip
from jaxgen.train import Game
from jaxgen.types import Info, Key

JUDGED = 2500  # held-out reals, and fakes
ACTIVATED = ("total_variation", "pearson")
"""Trained through the activations of f-GAN: total variation's canonical bound has no gradient, and
Pearson's critic then learns 2 (p/q - 1) by least squares, where the canonical one squares e^v."""
FAILED = "failed"
"""All that the result of a divergence has whose training was not finite: which number, and when."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.AlternatingConfig):
    """Which divergences, and how long each is trained."""

    divergences: Annotated[tuple[str, ...], wb.Among(wb.F_DIVERGENCES), wb.SEVERAL] = (
        wb.F_DIVERGENCES
    )
    """To train by, one game each."""
    trick: bool = True
    """The generator raises E_q t; without, it lowers the critic's bound."""
    epochs: wb.Count = 20
    steps_per_epoch: wb.Count = 125
    batch_size: wb.Count = 128
    learning_rate: wb.Positive = 5e-4
    """Of both players' Adam (b1 = .5), down to a hundredth along half a cosine."""
    critic_steps: wb.Count = 3
    latent_size: wb.Count = 16
    """Dimensions of z."""
    schedule: ClassVar[str] = "cosine"


def run(config: Config) -> dict[str, Any]:
    """Trains by every divergence of `config`; returns what result.json holds."""
    out = wb.begin(config)
    target = wb.TARGETS["ring"]()
    key, key_held_out = jax.random.split(jax.random.key(config.seed))
    key_init, key_fit, key_latents = jax.random.split(key, 3)
    reals = target.sample(seed=key_held_out, sample_shape=JUDGED)
    model = wb.plane_gan(config.latent_size, critic=(64, 64))
    steps = config.epochs * config.steps_per_epoch
    optimizers = (
        wb.make_optimizer(config.learning_rate, steps, b1=0.5),
        wb.make_optimizer(config.learning_rate, steps * config.critic_steps, b1=0.5),
    )

    def one(part: wb.Run, name: str) -> np.ndarray:
        """Returns the generator's samples at the end of one game."""
        loss = make_loss(name, trick=config.trick)

        @jax.jit
        def judge(game: Game, key: Key, reals: Array) -> Info:
            fakes = wb.samples(model, game, key, JUDGED)
            critic_real, critic_fake = (
                model.criticize(game.critic.variables, x, train=False)[0] for x in (reals, fakes)
            )
            bound = -jnp.mean(jax.vmap(loss.critic)(critic_real, critic_fake))
            return {**wb.coverage(target, fakes), "bound": bound}

        keys = key_init, key_fit, key_latents
        losses = game_losses(model, loss)
        game = wb.play(
            part, model, losses, optimizers, target, judge, keys, held_out=reals, monitor="bound"
        )
        return np.asarray(wb.samples(model, game, key_latents, JUDGED))

    swept = wb.sweep(out, {name: name for name in config.divergences}, one)
    games: dict[str, dict[str, Any]] = {}
    panels = {"data": np.asarray(reals)}
    for name in config.divergences:
        label = DIVERGENCES[name].name
        if name in swept.failed:
            what = swept.failed[name].removeprefix(f"{name}: ").partition(";")[0]
            games[name] = {FAILED: what}
            panels[f"{label}: not finite"] = np.empty((0, 2))
        else:
            games[name] = swept.last(name)
            panels[label] = swept[name]
    of_reals = jax.device_get(jax.jit(lambda reals: wb.coverage(target, reals))(reals))
    result = {"of_reals": of_reals, "divergences": games}
    title = f"f-GANs on the ring: samples after {steps} steps"
    figures = {"samples": scatter_strip(panels, np.asarray(target.modes), title=title)}
    notes = [
        f"{DIVERGENCES[name].name}: {of[FAILED]}" for name, of in games.items() if FAILED in of
    ]
    return out.finish(result, figures, [table(config, result)], notes)


def make_loss(name: str, *, trick: bool) -> GanLoss:
    """Returns the game of a divergence."""
    return (activated_f_gan if name in ACTIVATED else f_gan)(DIVERGENCES[name], trick=trick)


def table(config: Config, result: Mapping[str, Any]) -> wb.Table:
    """Returns the table of the result, whatever failed by its name."""

    def numbers(of: Mapping[str, Any]) -> list[Any]:
        shares = (round(float(of[name]), 3) for name in ("entropy", "high_quality"))
        return [int(of["covered"]), *shares]

    rows = [["data", *numbers(result["of_reals"]), "", "", ""]]
    for name, of in result["divergences"].items():
        divergence = DIVERGENCES[name]
        least = round(divergence.at_one, 3)
        rows.append(
            [divergence.name, "not finite", "", "", "", least, ""]
            if FAILED in of
            else [divergence.name, *numbers(of), float(of["bound"]), least, round(of["seconds"])]
        )
    return wb.Table(
        f"f-GANs on the ring, {config.epochs * config.steps_per_epoch} steps"
        f"{'' if config.trick else ', without the trick'}",
        ["divergence", "modes", "entropy", "good", "bound", "at p = q", "s"],
        rows,
    )


if __name__ == "__main__":
    wb.main(Config, run)

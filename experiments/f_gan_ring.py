"""f-GANs on a ring of eight Gaussians: which divergence's game finds the modes.

Each of eleven divergences sets a game: the critic raises its bound E_p t - E_q f*(t), and the
generator lowers it or, with the trick, raises E_q t: for the divergence GAN that is the
non-saturating loss. Nets, optimizers, reals and latents are the same in all. (Nowozin et al. 2016,
algorithm 1 and section 3.2.)

  python -m experiments f_gan_ring
  python -m experiments f_gan_ring --divergences kl reverse_kl --no-trick

Measured with the trick, one seed, 2,500 steps (share of samples within three standard deviations of
a mode; of the data, .99): all eight modes by Jensen-Shannon and GAN (.47; .42 for weight 1/2, the
same game but for a factor), KL (.41), alpha 1.5 (.31) and Pearson (.29). Four of the rest have a t
that falls like -e^(-cv) on fakes that the critic is sure of: squared Hellinger stays a wide ring
(.01, gradient norms of 1e7), Jeffrey keeps to half of it (four modes, .04), reverse KL and Neyman
overflow (epochs 9 and 2 of 20). Total variation's critic saturates, and the generator leaves the
ring far behind (no mode, a bound of .005). Not measured: --no-trick, other seeds. 17 to 24 seconds
each on two cores of a busy machine.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from experiments import ring
from jaxgen.checks import at_least, one_of
from jaxgen.distributions import IsotropicMixture
from jaxgen.divergences import DIVERGENCES
from jaxgen.metrics import mode_coverage
from jaxgen.models import Gan
from jaxgen.objectives import GanLoss, activated_f_gan, f_gan, game_losses
from jaxgen.pictures import scatter_strip
from jaxgen.train import Game, data_mesh, game_update, init_game, replicate, scan_draws
from jaxgen.types import Info, Key
from jaxgen.workbench import (
    RunDirectory,
    TrainingConfig,
    TrainingFailed,
    fit,
    main,
    new_path,
    open_run,
    print_table,
    require_devices,
    tensorboard,
)

ACTIVATED = ("total_variation", "pearson")
"""Trained through the activations of f-GAN: total variation's canonical bound has no gradient, and
Pearson's critic then learns 2 (p/q - 1) by least squares, where the canonical one squares e^v."""
FAILED = "failed"
"""All that the result of a divergence has whose training was not finite: which number, and when."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    """Which divergences, and how long each is trained."""

    divergences: tuple[str, ...] = tuple(DIVERGENCES)
    """To train by, one game each."""
    trick: bool = True
    """The generator raises E_q t; without, it lowers the critic's bound."""
    epochs: int = 20
    """How often the samples are judged."""
    steps_per_epoch: int = 125
    """Steps of the generator in each."""
    batch_size: int = 128
    """Reals, and as many fakes, per step of either player."""
    learning_rate: float = 5e-4
    """Of both players' Adam (b1 = .5), down to a hundredth along half a cosine."""
    critic_steps: int = 3
    """Of the critic per step of the generator."""
    latent_size: int = 16
    """Dimensions of z."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.divergences:
            one_of("divergences", name, DIVERGENCES)
        if not self.divergences or len(set(self.divergences)) < len(self.divergences):
            raise ValueError(
                f"divergences: got {self.divergences}, expected one or more, each once"
            )
        for name in ("steps_per_epoch", "critic_steps", "latent_size"):
            at_least(name, getattr(self, name), 1)


def run(config: Config) -> dict[str, Any]:
    """Trains by every divergence of `config`; returns what result.json holds."""
    require_devices(config.devices)
    target = ring.TARGETS["ring"]()
    key, key_held_out = jax.random.split(jax.random.key(config.seed))

    @jax.jit
    def hold_out(key: Key) -> tuple[Float[Array, "judged 2"], dict[str, Array]]:
        reals = ring.draw(target, key, ring.JUDGED)
        return reals, coverage(target, reals)

    reals, of_reals = hold_out(key_held_out)
    model = ring.make_model(
        ring.Config(latent_size=config.latent_size), ring.Method(critic=(64, 64))
    )
    out = open_run(config.run_dir or new_path("f_gan_ring"), config, resume=config.resume)
    print(f"run directory: {out.path}")
    games: dict[str, dict[str, Any]] = {}
    panels = {"data": np.asarray(reals)}
    for name in config.divergences:
        label = DIVERGENCES[name].name
        with out.part(name) as part:
            try:
                last, panels[label] = train(
                    config, model, target, name, reals, jax.random.clone(key), part
                )
            except TrainingFailed as failure:  # the other games go on
                games[name] = {FAILED: str(failure).partition(";")[0]}
                panels[f"{label}: not finite"] = np.empty((0, 2))
            else:
                games[name] = {**last, "seconds": part.metrics()[-1]["seconds"]}
    result = {"of_reals": jax.device_get(of_reals), "divergences": games}
    out.write_result(result)
    title = f"f-GANs on the ring: samples after {config.epochs * config.steps_per_epoch} steps"
    figure = scatter_strip(panels, np.asarray(target.modes), title=title)
    report(config, result, out, str(out.save_picture("samples", figure)))
    return result


def make_loss(name: str, *, trick: bool) -> GanLoss:
    """Returns the game of a divergence."""
    return (activated_f_gan if name in ACTIVATED else f_gan)(DIVERGENCES[name], trick=trick)


def train(
    config: Config,
    model: Gan,
    target: IsotropicMixture,
    name: str,
    reals: Float[Array, "judged 2"],
    key: Key,
    part: RunDirectory,
) -> tuple[dict[str, Any], Float[np.ndarray, "judged 2"]]:
    """Returns the numbers at the end of one game, and the generator's samples.

    Raises:
      TrainingFailed: a step, or a number at the end of an epoch, was not finite.
    """
    key_init, key_fit, key_latents = jax.random.split(key, 3)
    steps = config.epochs * config.steps_per_epoch
    generator_optimizer, critic_optimizer = (
        optax.adam(optax.cosine_decay_schedule(config.learning_rate, n, alpha=0.01), b1=0.5)
        for n in (steps, steps * config.critic_steps)
    )
    loss = make_loss(name, trick=config.trick)
    mesh = data_mesh(config.devices)
    update = game_update(
        game_losses(model, loss),
        generator_optimizer,
        critic_optimizer,
        critic_steps=config.critic_steps,
        mesh=mesh,
    )
    draws = scan_draws(
        update,
        lambda key: ring.draw(target, key, config.batch_size * config.critic_steps),
        config.steps_per_epoch,
    )

    @jax.jit
    def start(key: Key) -> Game:
        return init_game(key, model, generator_optimizer, critic_optimizer)

    @partial(jax.jit, donate_argnums=0)
    def one_epoch(game: Game, key: Key) -> tuple[Game, Info]:
        return draws(game, key)

    @jax.jit
    def look(game: Game) -> tuple[dict[str, Array], Float[Array, "judged 2"]]:
        z = model.sample_latent(jax.random.clone(key_latents), ring.JUDGED)
        fakes, _ = model.generate(game.generator.variables, z, train=False)
        critic_real, critic_fake = (
            model.criticize(game.critic.variables, x, train=False)[0] for x in (reals, fakes)
        )
        bound = -jnp.mean(jax.vmap(loss.critic)(critic_real, critic_fake))
        return {**coverage(target, fakes), "bound": bound}, fakes

    game = fit(
        part,
        replicate(start(key_init), mesh),
        lambda game, key, index: one_epoch(game, key),
        lambda game: look(game)[0],
        key=key_fit,
        epochs=config.epochs,
        monitor="bound",
        evaluated=lambda game: game,
        watch=tensorboard(part.path) if config.tensorboard else None,
    )
    return jax.device_get(look(game))


def coverage(target: IsotropicMixture, samples: Float[Array, "judged 2"]) -> dict[str, Array]:
    """Returns how samples fall on the modes; the entropy as a share of the greatest."""
    found = mode_coverage(samples, target.modes, target.scales)
    return {
        "covered": found.covered,
        "entropy": found.entropy / math.log(len(target.modes)),
        "high_quality": found.high_quality,
    }


def report(config: Config, result: Mapping[str, Any], out: RunDirectory, picture: str) -> None:
    """Prints the table of the result, whatever failed by its name, and where everything is."""

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
    print_table(
        f"f-GANs on the ring, {config.epochs * config.steps_per_epoch} steps"
        f"{'' if config.trick else ', without the trick'}",
        ["divergence", "modes", "entropy", "good", "bound", "at p = q", "s"],
        rows,
    )
    for name, of in result["divergences"].items():
        if FAILED in of:
            print(f"{DIVERGENCES[name].name}: {of[FAILED]}")
    print(f"picture: {picture}")
    print(f"everything: {out.path}")


if __name__ == "__main__":
    main(Config, run)

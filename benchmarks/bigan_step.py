"""How long does a BiGAN's step take, beside PyTorch?

The same game for both: images of 28x28 by 128, generator, encoder and critic of two hidden layers
each, latents U[-1, 1]^50, batch normalization on every second layer, the non-saturating loss with
the sides exchanged, Adam at 2e-4 with b1 = .5, one set of pairs for both players, which move at
once. A call is a number of steps on noise for images: a time depends on no content. Rounds are
interleaved and compilation is apart; the critics' losses stand beside the times.

  python -m benchmarks.bigan_step

Measure on a machine that does nothing else.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import jax
import optax

from benchmarks.record import TimingConfig, write_record
from benchmarks.step_report import measure_steps, report_steps
from benchmarks.timing import torch_on_the_same_device
from experiments.bigan import Config as RecipeConfig
from experiments.bigan import make_losses, make_model
from jaxgen.checks import at_least
from jaxgen.train import game_update, init_game, scan_draws, simultaneous
from jaxgen.workbench import Count, main

Steps: TypeAlias = Callable[[int], float]
"""`index of the call -> mean loss of the critic over its steps, in nats`."""

SHAPE, BATCH, RATE = (28, 28, 1), 128, 2e-4
PACKAGES = ("jax", "jaxlib", "flax", "optax", "torch", "numpy")


def jaxgen_steps(steps: int, width: int) -> Steps:
    """The recipe `experiments/bigan.py` as its authors had it, without an average, on noise."""
    config = RecipeConfig(
        hidden=(width, width), latent_size=50, critic="batch_norm", r1=0.0, init_scale=0.02
    )
    _, model = make_model(config, SHAPE)
    adam = optax.adam(RATE, b1=0.5)
    update = game_update(make_losses(config, model), adam, adam, order=simultaneous)
    epoch = scan_draws(update, lambda key: jax.random.uniform(key, (BATCH, *SHAPE)), steps)
    key_init, key_steps = jax.random.split(jax.random.key(0))
    game = jax.jit(lambda key: init_game(key, model, adam, adam))(key_init)
    compiled = jax.jit(epoch, donate_argnums=0).lower(game, key_steps).compile()

    def call(index: int) -> float:
        nonlocal game
        game, infos = compiled(game, jax.random.fold_in(key_steps, index))
        return float(infos["critic_loss"].mean())

    return call


def torch_steps(steps: int, width: int) -> Steps:
    """PyTorch, eager, on as many threads; the pairs are made once for both players."""
    import torch
    from torch import nn
    from torch.nn.functional import softplus

    torch_on_the_same_device()
    torch.manual_seed(0)
    pixels, latent = SHAPE[0] * SHAPE[1], 50

    def mlp(inputs: int, outputs: int, activation: Callable[[], Any]) -> Any:
        return nn.Sequential(
            nn.Linear(inputs, width),
            activation(),
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width),
            activation(),
            nn.Linear(width, outputs),
        )

    leaky = partial(nn.LeakyReLU, 0.2)
    generator = nn.Sequential(mlp(latent, pixels, nn.ReLU), nn.Sigmoid())
    encoder = nn.Sequential(mlp(pixels, latent, leaky), nn.Tanh())
    critic = mlp(pixels + latent, 1, leaky)
    for module in (*generator.modules(), *encoder.modules(), *critic.modules()):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    of_player, of_critic = (
        torch.optim.Adam(params, lr=RATE, betas=(0.5, 0.999))
        for params in ([*generator.parameters(), *encoder.parameters()], critic.parameters())
    )

    def step() -> Any:
        x, z = torch.rand(BATCH, pixels), 2 * torch.rand(BATCH, latent) - 1
        real = torch.cat([x, encoder(x)], 1)
        fake = torch.cat([generator(z), z], 1)
        of_critic.zero_grad(set_to_none=True)
        loss = (softplus(-critic(real.detach())) + softplus(critic(fake.detach()))).mean()
        loss.backward()
        of_player.zero_grad(set_to_none=True)
        # The critic's own gradients are not asked for, as in JAX; both move from the same point.
        critic.requires_grad_(False)
        (softplus(critic(real)) + softplus(-critic(fake))).mean().backward()
        critic.requires_grad_(True)
        of_critic.step()
        of_player.step()
        return loss.detach()

    def call(index: int) -> float:
        return float(sum(step() for _ in range(steps)) / steps)

    return call


PEERS = {"torch": torch_steps}
"""By name in the table."""


def measure(steps: int, width: int, rounds: int) -> dict[str, Any]:
    """Returns the times of a call, their ratio and the losses; PyTorch is absent if not installed.

    Raises:
      ValueError: there is no step, or no round.
    """
    steps = at_least("steps", steps, 1)
    peers = {name: make for name, make in PEERS.items() if importlib.util.find_spec(name)}
    contestants = {
        "jaxgen": jaxgen_steps(steps, width),
        **{name: make(steps, width) for name, make in peers.items()},
    }
    return measure_steps(
        contestants, steps, rounds, peers=PEERS, packages=PACKAGES, sizes={"width": width}
    )


def report(result: dict[str, Any]) -> None:
    """Prints the times as a table, then the ratio."""
    report_steps(result, f"A BiGAN of 28x28, nets of {result['width']}", "critic's loss, nats")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TimingConfig):
    """How much is timed."""

    steps: Count = 20
    """Steps per round."""
    width: Count = 1024
    """Of the two hidden layers of each net."""
    quick: bool = False
    """Three rounds of five steps, whatever else is asked."""


def run(config: Config) -> dict[str, Any]:
    """Measures and prints; returns what the file holds."""
    sizes = (5, config.width, 3) if config.quick else (config.steps, config.width, config.rounds)
    result = measure(*sizes)
    report(result)
    write_record("bigan_step", result, config.out)
    return result


if __name__ == "__main__":
    main(Config, run)

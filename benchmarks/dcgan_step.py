"""How long does a DCGAN's alternating step take, beside linen's convolutions and PyTorch?

The same game for all: images of 28x28 by 64, a generator of 7x7x128, 14x14x64, 28x28x1 from 64
latents, a critic of 14x14x64, 7x7x128, 1, batch normalization as in DCGAN, the non-saturating loss,
Adam at 5e-4 with b1 = .5, one set of fakes for both players. A call is a number of steps on the
same noise for images: a time depends on no content. Rounds are interleaved and compilation is
apart; the critics' losses stand beside the times.

  python -m benchmarks.dcgan_step

Measure on a machine that does nothing else.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from typing import Any, TypeAlias
from unittest import mock

import flax.linen as nn
import jax
import optax

from benchmarks.record import TimingConfig, write_record
from benchmarks.step_report import measure_steps, report_steps
from benchmarks.timing import torch_on_the_same_device
from experiments.dcgan import Config as RecipeConfig
from experiments.dcgan import make_model
from jaxgen.checks import at_least
from jaxgen.nets import dcgan
from jaxgen.objectives import game_losses, non_saturating
from jaxgen.train import game_update, init_game, scan_draws
from jaxgen.workbench import Count, main

Steps: TypeAlias = Callable[[int], float]
"""`index of the call -> mean loss of the critic over its steps, in nats`."""

SHAPE = (28, 28, 1)
PACKAGES = ("jax", "jaxlib", "flax", "optax", "torch", "numpy")


def jaxgen_steps(steps: int) -> Steps:
    """The recipe `experiments/dcgan.py` without its average, on noise."""
    config = RecipeConfig()
    model = make_model(config, SHAPE)
    optimizer = optax.adam(config.learning_rate, b1=0.5)
    update = game_update(game_losses(model, non_saturating()), optimizer, optimizer)
    epoch = scan_draws(
        update,
        lambda key: jax.random.uniform(key, (config.batch_size, *SHAPE)),
        steps,
    )
    key_init, key_steps = jax.random.split(jax.random.key(0))
    game = jax.jit(lambda key: init_game(key, model, optimizer, optimizer))(key_init)
    compiled = jax.jit(epoch, donate_argnums=0).lower(game, key_steps).compile()

    def call(index: int) -> float:
        nonlocal game
        game, infos = compiled(game, jax.random.fold_in(key_steps, index))
        return float(infos["critic_loss"].mean())

    return call


def linen_steps(steps: int) -> Steps:
    """The same with linen's own layers, that is, XLA's convolutions."""

    def conv(features: int, **kwargs: Any) -> nn.Module:
        return nn.Conv(features, (4, 4), strides=(2, 2), **kwargs)

    def transposed(features: int, **kwargs: Any) -> nn.Module:
        return nn.ConvTranspose(features, (4, 4), strides=(2, 2), **kwargs)

    with (
        mock.patch.object(dcgan, "StridedConv", conv),
        mock.patch.object(dcgan, "StridedConvTranspose", transposed),
    ):
        return jaxgen_steps(steps)


def torch_steps(steps: int) -> Steps:
    """PyTorch, eager, on as many threads; the fakes are made once for both players."""
    import torch
    from torch import nn
    from torch.nn.functional import softplus

    torch_on_the_same_device()
    torch.manual_seed(0)
    config = RecipeConfig()
    batch, width, latent = config.batch_size, config.width, config.latent_size

    generator = nn.Sequential(
        nn.Linear(latent, 7 * 7 * 2 * width, bias=False),
        nn.Unflatten(1, (2 * width, 7, 7)),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, 1, 4, 2, 1),
        nn.Sigmoid(),
    )
    critic = nn.Sequential(
        nn.Conv2d(1, width, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(7 * 7 * 2 * width, 1),
    )
    for module in (*generator, *critic):
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.02)
    of_generator, of_critic = (
        torch.optim.Adam(net.parameters(), lr=config.learning_rate, betas=(0.5, 0.999))
        for net in (generator, critic)
    )

    def step() -> Any:
        reals = torch.rand(batch, 1, 28, 28)
        fakes = generator(torch.randn(batch, latent))
        of_critic.zero_grad(set_to_none=True)
        loss = softplus(-critic(2 * reals - 1)) + softplus(critic(2 * fakes.detach() - 1))
        loss = loss.mean()
        loss.backward()
        of_critic.step()
        of_generator.zero_grad(set_to_none=True)
        # The critic's own gradients are not asked for, as in JAX.
        critic.requires_grad_(False)
        softplus(-critic(2 * fakes - 1)).mean().backward()
        critic.requires_grad_(True)
        of_generator.step()
        return loss.detach()

    def call(index: int) -> float:
        return float(sum(step() for _ in range(steps)) / steps)

    return call


PEERS = {"linen": linen_steps, "torch": torch_steps}
"""By name in the table."""


def measure(steps: int, rounds: int) -> dict[str, Any]:
    """Returns the times of a call, their ratios and the losses; PyTorch is absent if not installed.

    Raises:
      ValueError: there is no step, or no round.
    """
    steps = at_least("steps", steps, 1)
    peers = {
        name: make
        for name, make in PEERS.items()
        if name != "torch" or importlib.util.find_spec("torch")
    }
    contestants = {
        "jaxgen": jaxgen_steps(steps),
        **{name: make(steps) for name, make in peers.items()},
    }
    return measure_steps(contestants, steps, rounds, peers=PEERS, packages=PACKAGES, sizes={})


def report(result: dict[str, Any]) -> None:
    """Prints the times as a table, then the ratios."""
    report_steps(result, "A DCGAN of 28x28", "critic's loss, nats")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TimingConfig):
    """How much is timed."""

    steps: Count = 20
    """Alternating steps per round."""
    quick: bool = False
    """Three rounds of five steps, whatever else is asked."""


def run(config: Config) -> dict[str, Any]:
    """Measures and prints; returns what the file holds."""
    result = measure(5, 3) if config.quick else measure(config.steps, config.rounds)
    report(result)
    write_record("dcgan_step", result, config.out)
    return result


if __name__ == "__main__":
    main(Config, run)

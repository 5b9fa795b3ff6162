"""How fast does a GAN train on the ring, beside PyTorch, and what do eight seeds at once cost?

The same game for all: eight Gaussians, the nets of Metz et al. (2017), 256-128-128-2 and 2-128-1
with ReLU, batches of 512, the saturating minimax loss, Adam at 1e-4 with b1 = .5, fresh reals and
latents at every step, one set of fakes for both players; eight seeds share the draws. A call is a
number of alternating steps. Rounds are interleaved and compilation is apart; the critics' losses
stand beside the times.

  python -m benchmarks.gan_training

Measure on a machine that does nothing else: PyTorch's threads wait for each other in every
operation, so that a second busy program slows it many times more than it slows XLA.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import itertools
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import optax

from benchmarks.record import TimingConfig, print_caveats, write_record
from benchmarks.timing import environment, interleaved, ratio, torch_on_the_same_device
from experiments.ring import METHODS, make_model, make_update
from experiments.ring import Config as RecipeConfig
from jaxgen.checks import at_least
from jaxgen.distributions import ring
from jaxgen.train import Game, init_game, scan_draws
from jaxgen.types import Key
from jaxgen.workbench import Count, main, print_table

Steps: TypeAlias = Callable[[int], float]
"""`index of the call -> mean loss of the critic over its steps, in nats`."""

SEEDS = 8
PACKAGES = ("jax", "jaxlib", "flax", "optax", "torch", "numpy")


def jaxgen_steps(steps: int, seeds: int = 1) -> Steps:
    """The recipe `experiments/ring.py`, its method plain, for one seed or several side by side.

    As in the recipe all seeds see the same reals and latents: theirs are the starts alone.
    """
    config, method = RecipeConfig(method="plain"), METHODS["plain"]
    model = make_model(config, method)
    optimizer = optax.adam(config.learning_rate, b1=0.5)
    update = make_update(config, method, model, optimizer, optimizer)
    many = seeds > 1
    if many:
        update = jax.vmap(update, in_axes=(0, None, None))
    target = ring()
    epoch = scan_draws(
        update, lambda key: target.sample(seed=key, sample_shape=config.batch_size), steps
    )

    def start(key: Key) -> Game:
        return init_game(key, model, optimizer, optimizer)

    key_init, key_steps = jax.random.split(jax.random.key(0))
    game = jax.vmap(start)(jax.random.split(key_init, seeds)) if many else start(key_init)
    compiled = jax.jit(epoch, donate_argnums=0)

    def call(index: int) -> float:
        nonlocal game
        game, infos = compiled(game, jax.random.fold_in(key_steps, index))
        return float(infos["critic_loss"].mean())

    return call


def torch_steps(steps: int, *, fused: bool = False) -> Steps:
    """PyTorch, eager, on as many threads; the fakes are made once for both players.

    Args:
      fused: PyTorch's fused Adam in place of its default.
    """
    import torch
    from torch import nn
    from torch.nn.functional import softplus

    torch_on_the_same_device()
    torch.manual_seed(0)
    config = RecipeConfig()
    batch = config.batch_size

    def net(*widths: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            linear = nn.Linear(inputs, outputs)
            nn.init.orthogonal_(linear.weight, 0.8)
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    generator, critic = net(config.latent_size, 128, 128, 2), net(2, 128, 1)
    adam = functools.partial(
        torch.optim.Adam, lr=config.learning_rate, betas=(0.5, 0.999), fused=fused
    )
    of_generator, of_critic = adam(generator.parameters()), adam(critic.parameters())
    angles = 2 * math.pi * torch.arange(8) / 8
    modes = 2 * torch.stack([angles.cos(), angles.sin()], dim=1)

    def step() -> Any:
        reals = modes[torch.randint(8, (batch,))] + 0.02 * torch.randn(batch, 2)
        fakes = generator(torch.randn(batch, config.latent_size))
        of_critic.zero_grad(set_to_none=True)
        loss = softplus(-critic(reals / 4)) + softplus(critic(fakes.detach() / 4))
        loss = loss.mean()
        loss.backward()
        of_critic.step()
        of_generator.zero_grad(set_to_none=True)
        (-softplus(critic(fakes / 4))).mean().backward()
        of_generator.step()
        return loss.detach()

    def call(index: int) -> float:
        return float(sum(step() for _ in range(steps)) / steps)

    return call


PEERS = {"torch": torch_steps, "torch, fused Adam": functools.partial(torch_steps, fused=True)}
"""By name in the table."""


def measure(steps: int, rounds: int) -> dict[str, Any]:
    """Returns the times of a call, their ratios and the losses; PyTorch is absent if not installed.

    Raises:
      ValueError: there is no step, or no round.
    """
    steps = at_least("steps", steps, 1)
    peers = PEERS if importlib.util.find_spec("torch") else {}
    many = f"jaxgen, {SEEDS} seeds"
    contestants = {
        "jaxgen": jaxgen_steps(steps),
        many: jaxgen_steps(steps, SEEDS),
        **{name: make(steps) for name, make in peers.items()},
    }
    before = environment(PACKAGES)
    timings = interleaved(contestants, rounds)
    ratios = {f"{name} / jaxgen": ratio(timings[name], timings["jaxgen"]) for name in peers}
    ratios[f"{many} / jaxgen"] = ratio(timings[many], timings["jaxgen"])
    return {
        "environment": before,
        "steps": steps,
        "seconds": {name: timing.summary() for name, timing in timings.items()},
        "steps_per_second": {name: steps / timing.median for name, timing in timings.items()},
        "ratios": ratios,
        "absent": [name for name in PEERS if name not in peers],
    }


def report(result: dict[str, Any]) -> None:
    """Prints the times as a table, then the ratios."""
    rows = [
        [
            name,
            *(1000 * seconds[k] / result["steps"] for k in ("median", "min", "max")),
            result["steps_per_second"][name],
            seconds["compile"],
            seconds["answers"][-1],
        ]
        for name, seconds in result["seconds"].items()
    ]
    where = result["environment"]
    print_table(
        f"The ring, {result['steps']} steps a round, {where['threads']} threads of "
        f"{where['processor']}",
        ["", "median ms", "min ms", "max ms", "steps/s", "compile s", "critic's loss, nats"],
        rows,
    )
    print_caveats(result)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TimingConfig):
    """How much is timed."""

    steps: Count = 500
    """Alternating steps per round."""


def run(config: Config) -> dict[str, Any]:
    """Measures and prints; returns what the file holds."""
    result = measure(config.steps, config.rounds)
    report(result)
    write_record("gan_training", result, config.out)
    return result


if __name__ == "__main__":
    main(Config, run)

"""How long does a CycleGAN's step take beside PyTorch?

The same game for both: a batch of images of 64x64x3 of each domain, two residual generators of six
blocks and width 64, two critics of patches of 70x70, least squares, cycle and identity losses, a
pool of fifty past fakes for each critic, Adam at 2e-4 with b1 = .5 over both generators and over
both critics, one set of fakes for both players. PyTorch's is the authors' step: nets, padding and
order. A call is a number of steps on noise for images: a time depends on no content. Here it is one
scan, as an epoch is, whose working memory, 270 MiB, the system hands out anew in every call: 69,000
pages at 1.2 microseconds, which ten steps share. Rounds are interleaved and compilation is apart;
the generators' losses stand beside the times.

  python -m benchmarks.cyclegan_step

Measure on a machine that does nothing else.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import random
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import optax

from benchmarks.record import TimingConfig, write_record
from benchmarks.step_report import measure_steps, report_steps
from benchmarks.timing import torch_on_the_same_device
from jaxgen.models import cyclegan
from jaxgen.nets import PatchCritic, ResNetGenerator
from jaxgen.objectives import cycle_losses
from jaxgen.train import game_update, image_pool, init_game, scan_draws, simultaneous
from jaxgen.workbench import Count, main

Steps: TypeAlias = Callable[[int], float]
"""`index of the call -> mean loss of the generators over its steps`."""

POOL, RATE = 50, 2e-4
PACKAGES = ("jax", "jaxlib", "flax", "optax", "torch", "numpy")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Size:
    """How large the game is."""

    side: int = 64
    batch: int = 1
    width: int = 64
    blocks: int = 6


def jaxgen_steps(steps: int, size: Size) -> Steps:
    """One scan of the steps; draws, pool and optimizers are in it."""
    shape = (size.side, size.side, 3)
    generator = ResNetGenerator(3, width=size.width, blocks=size.blocks)
    critic = PatchCritic(size.width)
    model = cyclegan(
        *(generator, generator, critic, critic), x_shape=shape, y_shape=shape, pool=image_pool(POOL)
    )
    adam = optax.adam(RATE, b1=0.5)
    update = game_update(cycle_losses(model), adam, adam, order=simultaneous)

    def draw(key: Any) -> Any:
        return tuple(jax.random.uniform(k, (size.batch, *shape)) for k in jax.random.split(key))

    epoch = scan_draws(update, draw, steps)
    key_init, key_steps = jax.random.split(jax.random.key(0))
    game = jax.jit(lambda key: init_game(key, model, adam, adam))(key_init)
    compiled = jax.jit(epoch, donate_argnums=0).lower(game, key_steps).compile()

    def call(index: int) -> float:
        nonlocal game
        game, infos = compiled(game, jax.random.fold_in(key_steps, index))
        return float(infos["generator_loss"].mean())

    return call


def torch_steps(steps: int, size: Size) -> Steps:
    """PyTorch, eager, on as many threads, in its own layout."""
    import torch
    from torch import nn
    from torch.nn.functional import l1_loss

    torch_on_the_same_device()
    torch.manual_seed(0)

    def normed(conv: nn.Module, after: nn.Module | None) -> list[nn.Module]:
        return [conv, nn.InstanceNorm2d(conv.out_channels), *([after] if after else [])]  # type: ignore[arg-type]

    class Block(nn.Module):
        def __init__(self, c: int):
            super().__init__()
            self.inner = nn.Sequential(
                nn.ReflectionPad2d(1),
                *normed(nn.Conv2d(c, c, 3, bias=False), nn.ReLU()),
                nn.ReflectionPad2d(1),
                *normed(nn.Conv2d(c, c, 3, bias=False), None),
            )

        def forward(self, x: Any) -> Any:
            return x + self.inner(x)

    def generator() -> nn.Module:
        w = size.width
        layers = [nn.ReflectionPad2d(3), *normed(nn.Conv2d(3, w, 7, bias=False), nn.ReLU())]
        for c in (w, 2 * w):
            layers += normed(nn.Conv2d(c, 2 * c, 3, 2, 1, bias=False), nn.ReLU())
        layers += [Block(4 * w) for _ in range(size.blocks)]
        for c in (4 * w, 2 * w):
            doubling = nn.ConvTranspose2d(c, c // 2, 3, 2, 1, output_padding=1, bias=False)
            layers += normed(doubling, nn.ReLU())
        return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(w, 3, 7), nn.Tanh())

    def critic() -> nn.Module:
        w = size.width
        layers = [nn.Conv2d(3, w, 4, 2, 1), nn.LeakyReLU(0.2)]
        for i, stride in enumerate((2, 2, 1)):
            conv = nn.Conv2d(w * 2**i, w * 2 ** (i + 1), 4, stride, 1, bias=False)
            layers += normed(conv, nn.LeakyReLU(0.2))
        return nn.Sequential(*layers, nn.Conv2d(8 * w, 1, 4, 1, 1))

    to_y, to_x, of_x, of_y = generator(), generator(), critic(), critic()
    for module in (m for net in (to_y, to_x, of_x, of_y) for m in net.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    generators = [*to_y.parameters(), *to_x.parameters()]
    critics = [*of_x.parameters(), *of_y.parameters()]
    of_generators, of_critics = (
        torch.optim.Adam(params, lr=RATE, betas=(0.5, 0.999)) for params in (generators, critics)
    )
    pools: dict[str, list[Any]] = {"x": [], "y": []}

    def shown(pool: list[Any], images: Any) -> Any:
        out = []
        for image in images:
            if len(pool) < POOL:
                pool.append(image)
            elif random.random() < 0.5:
                slot = random.randrange(POOL)
                image, pool[slot] = pool[slot], image
            out.append(image)
        return torch.stack(out)

    def step() -> Any:
        x, y = (2 * torch.rand(size.batch, 3, size.side, size.side) - 1 for _ in range(2))
        fake_y, fake_x = to_y(x), to_x(y)
        for param in critics:  # their own gradients are not asked for, as in JAX
            param.requires_grad_(False)
        of_generators.zero_grad(set_to_none=True)
        loss = ((of_y(fake_y) - 1) ** 2).mean() + ((of_x(fake_x) - 1) ** 2).mean()
        loss += 10 * (l1_loss(to_x(fake_y), x) + l1_loss(to_y(fake_x), y))
        loss += 5 * (l1_loss(to_y(y), y) + l1_loss(to_x(x), x))
        loss.backward()
        of_generators.step()
        for param in critics:
            param.requires_grad_(True)
        of_critics.zero_grad(set_to_none=True)
        for net, real, fake, pool in ((of_x, x, fake_x, "x"), (of_y, y, fake_y, "y")):
            past = shown(pools[pool], fake.detach())
            (((net(real) - 1) ** 2).mean() + (net(past) ** 2).mean()).mul(0.5).backward()
        of_critics.step()
        return loss.detach() / 2  # in the units of here

    def call(index: int) -> float:
        return float(sum(step() for _ in range(steps)) / steps)

    return call


PEERS = {"torch": torch_steps}
"""By name in the table."""


def measure(steps: int, rounds: int, size: Size | None = None) -> dict[str, Any]:
    """Returns the times of a call, their ratios and the losses; PyTorch is absent if not installed.

    Raises:
      ValueError: there is no round.
    """
    size = size or Size()
    peers = PEERS if importlib.util.find_spec("torch") else {}
    contestants = {
        name: make(steps, size) for name, make in {"jaxgen": jaxgen_steps, **peers}.items()
    }
    return measure_steps(
        contestants,
        steps,
        rounds,
        peers=PEERS,
        packages=PACKAGES,
        sizes={"size": dataclasses.asdict(size)},
    )


def report(result: dict[str, Any]) -> None:
    """Prints the times as a table, then the ratios."""
    side = result["size"]["side"]
    report_steps(result, f"A CycleGAN of {side}x{side}", "generators' loss")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TimingConfig):
    """How much is timed."""

    steps: Count = 10
    """Steps per round."""
    quick: bool = False
    """Three rounds of one step, whatever else is asked."""


def run(config: Config) -> dict[str, Any]:
    """Measures and prints; returns what the file holds."""
    result = measure(1, 3) if config.quick else measure(config.steps, config.rounds)
    report(result)
    write_record("cyclegan_step", result, config.out)
    return result


if __name__ == "__main__":
    main(Config, run)

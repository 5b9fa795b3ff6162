"""The update of a game, from its losses to the devices, in one call."""

from __future__ import annotations

from typing import Any

import jax
import optax
from jax.sharding import Mesh

from jaxgen.train.alternating import alternating_step
from jaxgen.train.game import Game
from jaxgen.train.orders import Order, critic_first
from jaxgen.train.shard import shard
from jaxgen.train.step import Update
from jaxgen.types import GameLosses, Info, Key


def game_update(
    losses: GameLosses,
    generator_optimizer: optax.GradientTransformation,
    critic_optimizer: optax.GradientTransformation,
    *,
    critic_steps: int = 1,
    order: Order = critic_first,
    unroll: int = 0,
    ema_decay: float | None = None,
    mesh: Mesh | None = None,
) -> Update:
    """Returns `alternating_step` of a model's game, on one device or split over many.

    What is drawn beside the data (latents) is drawn once for the batch: both players see the same
    fakes, which the compiler then makes once. A GAN on the ring trains in two thirds of the time.

    Args:
      losses: `jaxgen.objectives.game_losses(model, loss)`, or functions of one's own.
      generator_optimizer: that of `init_game`, as the next.
      critic_optimizer: any optax transformation; end it with `clip_weights` to clip them.
      critic_steps: of the critic per step of the generator; a batch is dealt into as many.
      order: `critic_first`, `generator_first`, `simultaneous`, `extragradient`, or a function of
        that form.
      unroll: steps of the critic that the generator looks ahead; take `zero_sum` of the loss then.
      ema_decay: of the generator's average; None if it keeps none.
      mesh: to split every batch over, by `shard`; None for one device.
    Raises:
      ValueError: as `alternating_step` and `shard` do.
    Example:
      >>> model = gan(MLPGenerator((4,), (2,)), MLPCritic((4,)), latent_size=3, x_shape=(2,))
      >>> adam = optax.adam(1e-3)
      >>> game = init_game(jax.random.key(0), model, adam, adam)
      >>> update = jax.jit(game_update(game_losses(model, non_saturating()), adam, adam))
      >>> game, info = update(game, jax.random.key(1), jnp.zeros((8, 2)))
      >>> int(game.generator.train.step), bool(info["all_finite"])
      (1, True)
    """
    update = alternating_step(
        losses.generator,
        losses.critic,
        generator_optimizer,
        critic_optimizer,
        critic_steps=critic_steps,
        order=order,
        unroll=unroll,
        sides=losses.sides,
        ema_decay=ema_decay,
    )
    if mesh is not None:
        update = shard(update, mesh)

    def updated(game: Game, key: Key, data: Any) -> tuple[Game, Info]:
        draw_key, update_key = jax.random.split(key)
        return update(game, update_key, losses.draw(draw_key, data))

    return updated

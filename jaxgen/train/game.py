"""The two players of a game."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxgen.train.average import start_average
from jaxgen.train.step import TrainState, init_state
from jaxgen.types import Key, Variables


@struct.dataclass
class Player:
    """One player's training.

    Attributes:
      train: params, optimizer state, average and number of steps.
      mutable: the collections that its forward pass changes, by name; {} if there are none.
      mutable_ema: their average beside that of the params, or None if none is kept.
    Example:
      >>> player = init_player({"params": jnp.ones(2), "batch_stats": jnp.zeros(2)}, optax.sgd(0.1))
      >>> sorted(player.variables)
      ['batch_stats', 'params']
    """

    train: TrainState
    mutable: Any
    mutable_ema: Any

    @property
    def variables(self) -> Variables:
        """What its net is applied with."""
        return {"params": self.train.params, **self.mutable}

    @property
    def averaged(self) -> Variables:
        """The same with averages in place of the last, where they are kept.

        Averaged params come with averaged batch statistics: under the last ones, of params far from
        the average, their samples can be worse than those of either.
        """
        if self.train.ema is None:
            return self.variables
        return {"params": self.train.ema, **self.mutable_ema}


@struct.dataclass
class Game:
    """All that adversarial training carries from step to step.

    Example:
      >>> adam = optax.adam(1e-3)
      >>> game = Game(
      ...     generator=init_player({"params": jnp.ones(2)}, adam),
      ...     critic=init_player({"params": jnp.ones(3)}, adam),
      ... )
      >>> int(game.generator.train.step)
      0
    """

    generator: Player
    critic: Player


def init_player(
    variables: Variables, optimizer: optax.GradientTransformation, *, ema: bool = False
) -> Player:
    """Returns a player before its first step, in buffers of its own, so that it may be donated.

    Args:
      variables: as linen's `init` returns them: `params` and any other collections.
      optimizer: this player's.
      ema: whether to keep an average of its params, and of the other collections.
    Raises:
      ValueError: variables has no `params`.
    Example:
      >>> net = nn.Sequential([nn.Dense(3), nn.BatchNorm(use_running_average=False)])
      >>> variables = net.init(jax.random.key(0), jnp.ones((4, 2)))
      >>> player = init_player(variables, optax.adam(1e-4), ema=True)
      >>> sorted(player.averaged), sorted(player.mutable)
      (['batch_stats', 'params'], ['batch_stats'])
    """
    if "params" not in variables:
        raise ValueError(f"variables: got the collections {sorted(variables)}, expected params too")
    mutable = {name: tree for name, tree in variables.items() if name != "params"}
    return Player(
        train=init_state(variables["params"], optimizer, ema=ema),
        mutable=jax.tree.map(jnp.copy, mutable),
        mutable_ema=jax.tree.map(jnp.copy, start_average(mutable)) if ema else None,
    )


def init_game(
    key: Key,
    model: Any,
    generator_optimizer: optax.GradientTransformation,
    critic_optimizer: optax.GradientTransformation,
    *,
    ema: bool = False,
) -> Game:
    """Returns a model's game before its first step.

    Args:
      model: whose `init`, `key -> (generator's variables, critic's variables)`, begins it.
      generator_optimizer: that of the update, as the next.
      critic_optimizer: the critic's.
      ema: whether to keep an average of the generator, for `game_update(..., ema_decay=...)`.
    Raises:
      ValueError: the model has no `init`.
    Example:
      >>> model = gan(MLPGenerator((4,), (2,)), MLPCritic((4,)), latent_size=3, x_shape=(2,))
      >>> game = init_game(jax.random.key(0), model, optax.adam(1e-4), optax.adam(4e-4))
      >>> int(game.critic.train.step)
      0
    """
    if not callable(getattr(model, "init", None)):
        raise ValueError(f"model: got {model!r}, expected what jaxgen.models.gan(...) returns")
    generator, critic = model.init(key)
    return Game(
        generator=init_player(generator, generator_optimizer, ema=ema),
        critic=init_player(critic, critic_optimizer),
    )

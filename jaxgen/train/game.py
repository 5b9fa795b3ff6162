"""The two players of a game, and who moves when."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxgen.train.average import start_average
from jaxgen.train.step import TrainState, init_state
from jaxgen.types import Info, Key, Variables


@struct.dataclass
class Player:
    """One player's training.

    Attributes:
      train: params, optimizer state, average and number of steps.
      mutable: the collections that its forward pass changes, by name; {} if there are none.
      mutable_ema: their average beside that of the params, or None if none is kept.
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
    """All that adversarial training carries from step to step."""

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
      >>> game = Game(
      ...     init_player(generator_variables, optax.adam(1e-4), ema=True),
      ...     init_player(critic_variables, optax.adam(4e-4)),
      ... )
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
      >>> game = init_game(jax.random.key(0), model, optax.adam(1e-4), optax.adam(4e-4))
    """
    if not callable(getattr(model, "init", None)):
        raise ValueError(f"model: got {model!r}, expected what jaxgen.models.gan(...) returns")
    generator, critic = model.init(key)
    return Game(
        generator=init_player(generator, generator_optimizer, ema=ema),
        critic=init_player(critic, critic_optimizer),
    )


PlayerStep: TypeAlias = Callable[..., tuple[Player, Info]]
"""`(own, other) -> (own after its step or steps, info)`; with `at=player` the gradient is taken at
that player's params, and `own` moved by it."""

Order: TypeAlias = Callable[[PlayerStep, PlayerStep, Game], tuple[Game, Info, Info]]
"""`(generator_step, critic_step, game) -> (game, generator's info, critic's info)`."""


def critic_first(
    generator_step: PlayerStep, critic_step: PlayerStep, game: Game
) -> tuple[Game, Info, Info]:
    """The generator answers the critic just moved (Goodfellow et al. 2014, algorithm 1)."""
    critic, critic_info = critic_step(game.critic, game.generator)
    generator, generator_info = generator_step(game.generator, critic)
    return Game(generator=generator, critic=critic), generator_info, critic_info


def generator_first(
    generator_step: PlayerStep, critic_step: PlayerStep, game: Game
) -> tuple[Game, Info, Info]:
    """The critic answers the generator just moved, whose fakes are made anew for it.

    CycleGAN's own code shows the critic the fakes from before that move: take `simultaneous`.
    """
    generator, generator_info = generator_step(game.generator, game.critic)
    critic, critic_info = critic_step(game.critic, generator)
    return Game(generator=generator, critic=critic), generator_info, critic_info


def simultaneous(
    generator_step: PlayerStep, critic_step: PlayerStep, game: Game
) -> tuple[Game, Info, Info]:
    """Both move from the same point, as the game's gradient field and its theory have it."""
    generator, generator_info = generator_step(game.generator, game.critic)
    critic, critic_info = critic_step(game.critic, game.generator)
    return Game(generator=generator, critic=critic), generator_info, critic_info


def extragradient(
    generator_step: PlayerStep, critic_step: PlayerStep, game: Game
) -> tuple[Game, Info, Info]:
    """Both step ahead, and then from where they were by the gradients found there.

    It converges on bilinear games, where `simultaneous` spirals out and `critic_first` circles. Two
    gradients of each player a step, of one batch and key. The optimizers see both, so that Adam's
    moments and schedules count twice a step, as in the paper's algorithm 4. Needs critic_steps=1.

    Source: Korpelevich (1976), "The extragradient method for finding saddle points and other
      problems"; Gidel et al. (2019), "A variational inequality perspective on generative
      adversarial networks", section 3 and algorithm 4.
    """
    ahead, _, _ = simultaneous(generator_step, critic_step, game)

    def start(player: Player, ahead: Player) -> Player:
        train = dataclasses.replace(player.train, opt_state=ahead.train.opt_state)
        return dataclasses.replace(player, train=train)

    generator, generator_info = generator_step(
        start(game.generator, ahead.generator), ahead.critic, at=ahead.generator
    )
    critic, critic_info = critic_step(
        start(game.critic, ahead.critic), ahead.generator, at=ahead.critic
    )
    return Game(generator=generator, critic=critic), generator_info, critic_info

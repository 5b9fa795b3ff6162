"""Who moves when: the orders of the two players' steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

from jaxgen.train.game import Game, Player
from jaxgen.types import Info

PlayerStep: TypeAlias = Callable[..., tuple[Player, Info]]
"""`(own, other) -> (own after its step or steps, info)`; with `at=player` the gradient is taken at
that player's params, and `own` moved by it."""

Order: TypeAlias = Callable[[PlayerStep, PlayerStep, Game], tuple[Game, Info, Info]]
"""`(generator_step, critic_step, game) -> (game, generator's info, critic's info)`."""


def critic_first(
    generator_step: PlayerStep, critic_step: PlayerStep, game: Game
) -> tuple[Game, Info, Info]:
    """The generator answers the critic just moved (Goodfellow et al. 2014, algorithm 1).

    Example:
      >>> halfway = lambda own, other: ((own + other) / 2, {})  # of players that are numbers
      >>> game, _, _ = critic_first(halfway, halfway, Game(generator=0.0, critic=8.0))
      >>> game.generator, game.critic  # half the way to the critic's 4
      (2.0, 4.0)
    """
    critic, critic_info = critic_step(game.critic, game.generator)
    generator, generator_info = generator_step(game.generator, critic)
    return Game(generator=generator, critic=critic), generator_info, critic_info


def generator_first(
    generator_step: PlayerStep, critic_step: PlayerStep, game: Game
) -> tuple[Game, Info, Info]:
    """The critic answers the generator just moved, whose fakes are made anew for it.

    CycleGAN's own code shows the critic the fakes from before that move: take `simultaneous`.

    Example:
      >>> halfway = lambda own, other: ((own + other) / 2, {})  # of players that are numbers
      >>> game, _, _ = generator_first(halfway, halfway, Game(generator=0.0, critic=8.0))
      >>> game.generator, game.critic  # the critic goes half the way to the generator's 4
      (4.0, 6.0)
    """
    generator, generator_info = generator_step(game.generator, game.critic)
    critic, critic_info = critic_step(game.critic, generator)
    return Game(generator=generator, critic=critic), generator_info, critic_info


def simultaneous(
    generator_step: PlayerStep, critic_step: PlayerStep, game: Game
) -> tuple[Game, Info, Info]:
    """Both move from the same point, as the game's gradient field and its theory have it.

    Example:
      >>> halfway = lambda own, other: ((own + other) / 2, {})  # of players that are numbers
      >>> game, _, _ = simultaneous(halfway, halfway, Game(generator=0.0, critic=8.0))
      >>> game.generator, game.critic
      (4.0, 4.0)
    """
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

    Example:
      >>> def generator_loss(own, other, key, batch):  # g c, which the generator lowers
      ...     return own["params"] * other["params"], {}, {}
      >>> def critic_loss(own, other, key, batch):  # and the critic climbs
      ...     return -own["params"] * other["params"], {}, {}
      >>> sgd = optax.sgd(0.5)
      >>> update = alternating_step(generator_loss, critic_loss, sgd, sgd, order=extragradient)
      >>> game = Game(init_player({"params": 1.0}, sgd), init_player({"params": 1.0}, sgd))
      >>> game, _ = update(game, jax.random.key(0), ())
      >>> players = game.generator, game.critic
      >>> [float(player.train.params) for player in players]  # from there: 1 - 1.5/2, and 1 + .5/2
      [0.25, 1.25]
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

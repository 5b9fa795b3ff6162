"""Two players, each moved down its own loss: the update of every adversarial model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxgen.checks import at_least
from jaxgen.train.step import TrainState, Update, gradient_step, init_state
from jaxgen.types import Info, Key, Params

Variables: TypeAlias = dict[str, Any]
"""A player as its net is applied: `params` and, beside it, the collections that a forward pass
changes (batch statistics, singular vectors, a pool of images), by name, as in linen."""

PlayerLoss: TypeAlias = Callable[[Variables, Any, Key, Any], tuple[jax.Array, Variables, Info]]
"""`(own, other, key, batch) -> (scalar to lower, own collections as changed, info)`. `other` is the
other player's variables, or what the critic's loss is let see of the generator."""


@struct.dataclass
class Player:
    """One player's training.

    Attributes:
      train: params, optimiser state, average and number of steps.
      mutable: the collections that its forward pass changes, by name; {} if there are none.
    """

    train: TrainState
    mutable: Any

    @property
    def variables(self) -> Variables:
        """What its net is applied with."""
        return {"params": self.train.params, **self.mutable}

    @property
    def averaged(self) -> Variables:
        """The same with the averaged params in place of the last, where an average is kept.

        Batch statistics are the last: they are running averages already.
        """
        params = self.train.params if self.train.ema is None else self.train.ema
        return {"params": params, **self.mutable}


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
      ema: whether to keep an average of its params.
    Raises:
      ValueError: variables has no `params`.
    Example:
      game = Game(init_player(generator_variables, optax.adam(1e-4), ema=True),
                  init_player(critic_variables, optax.adam(4e-4)))
    """
    if "params" not in variables:
        raise ValueError(f"variables: got the collections {sorted(variables)}, expected params too")
    mutable = {name: tree for name, tree in variables.items() if name != "params"}
    train = init_state(variables["params"], optimizer, ema=ema)
    return Player(train=train, mutable=jax.tree.map(jnp.copy, mutable))


PlayerStep: TypeAlias = Callable[[Player, Player], tuple[Player, Info]]
"""`(own, other) -> (own after its step or steps, info)`."""

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
    """The critic answers the generator just moved (as CycleGAN does)."""
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


def whole_player(generator: Variables, key: Key, batch: Any) -> Variables:
    """The critic's loss is given the generator itself, and draws the fakes."""
    return generator


def alternating_step(
    generator_loss: PlayerLoss,
    critic_loss: PlayerLoss,
    generator_optimizer: optax.GradientTransformation,
    critic_optimizer: optax.GradientTransformation,
    *,
    critic_steps: int = 1,
    order: Order = critic_first,
    unroll: int = 0,
    critic_view: Callable[[Variables, Key, Any], Any] = whole_player,
    ema_decay: float | None = None,
) -> Update:
    """Returns the update of a game: some steps of the critic and one of the generator.

    Each player's optimiser sees its own gradient alone, and each changes its own collections
    alone: what the other's forward pass would change in them is dropped. Two time scales are two
    learning rates; optimistic descent is `optax.optimistic_adam` for both.

    With n critic steps a batch of n B datapoints is dealt into n of B, one for each, and the
    generator's loss sees the last. (Datapoint i goes to step i mod n, so that on a mesh nothing
    moves between devices.) Every step draws from a key of its own. Where both losses may see the
    same fakes, draw the latents outside and hand them over in the batch: from the same latents the
    compiler makes the fakes once.

    With `unroll=k` the generator descends its loss at the critic as it would be after k more of its
    steps, differentiated through: the critic's answer is part of the gradient. These k steps have
    the optimiser's state, batch and key of the generator's loss; they leave no trace in the game.
    Hand over the generator's whole loss, `objectives.zero_sum`: the critic's outputs on reals
    depend on the generator here, and a loss of the fakes' term alone misses that part of the slope.
    An optimiser with a square root needs a slope at zero for it: `optax.adam(..., eps_root=1e-16)`,
    or a gradient of exactly zero, such as a dead unit's, becomes NaN. If the critic's loss needs
    nothing of the generator but its fakes, let `critic_view` make them: they are then
    differentiated once, not in each of the k steps.

    The info holds each player's own (of the critic's last step), its `loss` and `grad_norm`, under
    the prefixes `generator_` and `critic_`, and `all_finite`, of all steps.

    To train N games in one program, `jax.vmap` the update, or an epoch of it, over stacked games
    and keys.

    Args:
      generator_loss: `(own, other, key, batch) -> (scalar, changed collections, info)`.
      critic_loss: the same from the critic's side: `own` is then the critic.
      generator_optimizer: that of `init_player`, as the next.
      critic_optimizer: any optax transformation; end it with `clip_weights` to clip them.
      critic_steps: of the critic per step of the generator.
      order: `critic_first`, `generator_first`, `simultaneous`, or a function of that form.
      unroll: steps of the critic that the generator looks ahead; 0 is the plain update.
      critic_view: `(generator, key, batch) -> what the critic's loss is given as
        `other`; all of the generator's variables by default.
      ema_decay: of the generator's average; None if it keeps none.
    Raises:
      ValueError: critic_steps is below one, unroll below zero; a batch cannot be dealt; a loss is
        no scalar or changes a collection that its player lacks.
    Example:
      update = alternating_step(generator_loss, critic_loss, optax.adam(1e-4), optax.adam(4e-4))
      epoch = jax.jit(scan_epoch(update, 64), donate_argnums=0)
      game, infos = epoch(game, key, images)
    Source: Goodfellow et al. (2014), algorithm 1; Metz et al. (2017), equations 7 to 10, for
      `unroll`; Heusel et al. (2017) for two time scales; Daskalakis et al. (2018) for optimism.
    """
    critic_steps = at_least("critic_steps", critic_steps, 1)
    unroll = at_least("unroll", unroll, 0)

    def ahead(critic: Player, generator: Variables, key: Key, batch: Any) -> Variables:
        # The same draws in every step on purpose: one function is descended, as in the paper.
        seen = critic_view(generator, jax.random.clone(key), batch)
        for _ in range(unroll):
            drawn = jax.random.clone(key)
            critic, _ = _step(critic_loss, critic_optimizer, critic, seen, drawn, batch)
        return critic.variables

    def update(game: Game, batch: Any, key: Key) -> tuple[Game, Info]:
        generator_key, critic_key = jax.random.split(key)
        critic_keys = jax.random.split(critic_key, critic_steps)
        dealt = jax.tree.map(lambda array: _deal(array, critic_steps), batch)
        last = jax.tree.map(lambda array: array[-1], dealt)

        def generator_step(generator: Player, critic: Player) -> tuple[Player, Info]:
            def loss(own: Variables, other: Variables, key: Key, batch: Any) -> Any:
                # `other` is what follows from `own` here: the gradient runs through the answer.
                answer = ahead(critic, own, key, batch) if unroll else other
                return generator_loss(own, answer, key, batch)

            return _step(
                loss,
                generator_optimizer,
                generator,
                critic.variables,
                generator_key,
                last,
                ema_decay,
            )

        def critic_step(critic: Player, generator: Player) -> tuple[Player, Info]:
            def one(critic: Player, step: tuple[Any, Key]) -> tuple[Player, Info]:
                batch, key = step
                seen = critic_view(generator.variables, jax.random.clone(key), batch)
                return _step(critic_loss, critic_optimizer, critic, seen, key, batch)

            if critic_steps == 1:
                return one(critic, (last, critic_keys[0]))
            critic, infos = jax.lax.scan(one, critic, (dealt, critic_keys))
            info = jax.tree.map(lambda array: array[-1], infos)
            return critic, {**info, "all_finite": jnp.all(infos["all_finite"])}

        game, generator_info, critic_info = order(generator_step, critic_step, game)
        finite = generator_info.pop("all_finite") & critic_info.pop("all_finite")
        info = {f"generator_{name}": value for name, value in generator_info.items()}
        info |= {f"critic_{name}": value for name, value in critic_info.items()}
        return game, {**info, "all_finite": finite}

    return update


def clip_weights(bound: float) -> optax.GradientTransformation:
    """Returns the end of a chain that keeps every param within [-bound, bound].

    Raises:
      ValueError: bound is not positive.
    Example:
      optimizer = optax.chain(optax.rmsprop(5e-5), clip_weights(0.01))
    Source: Arjovsky et al. (2017), algorithm 1.
    """
    if not bound > 0:
        raise ValueError(f"bound: got {bound}, expected a positive number")

    def clipped(updates: Params, params: Params | None) -> Params:
        assert params is not None, "the updates of this package always pass the params"
        return jax.tree.map(lambda u, p: jnp.clip(p + u, -bound, bound) - p, updates, params)

    return optax.stateless(clipped)


def _step(
    loss: PlayerLoss,
    optimizer: optax.GradientTransformation,
    own: Player,
    other: Any,
    key: Key,
    batch: Any,
    ema_decay: float | None = None,
) -> tuple[Player, Info]:
    """Returns the player after one step of its optimiser, its own collections as its loss left."""

    def params_loss(params: Params, key: Key, batch: Any) -> tuple[jax.Array, Info]:
        value, changed, info = loss({"params": params, **own.mutable}, other, key, batch)
        return value, {"changed": changed, "info": info}

    train, step = gradient_step(params_loss, optimizer, ema_decay=ema_decay)(own.train, batch, key)
    changed, info = step.pop("changed"), step.pop("info")
    unknown = sorted(changed.keys() - own.mutable.keys())
    if unknown:
        raise ValueError(
            f"loss: got changes of {', '.join(unknown)}, expected none but of the player's own "
            f"collections ({', '.join(own.mutable) or 'it has none'})"
        )
    return Player(train=train, mutable={**own.mutable, **changed}), {**info, **step}


def _deal(array: jax.Array, hands: int) -> jax.Array:
    """Returns [hands, n / hands, ...]: row i goes to hand i mod hands."""
    if hands == 1:
        return array[None]
    if not array.shape or array.shape[0] % hands:
        raise ValueError(
            f"batch: got an array of shape {array.shape}, expected a leading axis divisible by "
            f"critic_steps={hands}"
        )
    return jnp.swapaxes(array.reshape(-1, hands, *array.shape[1:]), 0, 1)

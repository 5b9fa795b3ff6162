"""Two players, each moved down its own loss: the update of every adversarial model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen.checks import at_least, between_0_and_1, positive
from jaxgen.train.average import move_average
from jaxgen.train.epoch import scan_with_keys
from jaxgen.train.game import Game, Player
from jaxgen.train.loss import given_step
from jaxgen.train.orders import Order, critic_first
from jaxgen.train.step import Update, gradient_step
from jaxgen.types import Info, Key, Params, Variables


def alternating_step(
    generator_loss: Callable[..., tuple[jax.Array, Variables, Info]],
    critic_loss: Callable[..., tuple[jax.Array, Variables, Info]],
    generator_optimizer: optax.GradientTransformation,
    critic_optimizer: optax.GradientTransformation,
    *,
    critic_steps: int = 1,
    order: Order = critic_first,
    unroll: int = 0,
    sides: Callable[[Variables, Key, Any], Any] | None = None,
    ema_decay: float | None = None,
) -> Update:
    """Returns the update of a game: some steps of the critic and one of the generator.

    For two losses of one's own; `game_update` takes those of a model and does what goes with it.

    Each player's optimizer sees its own gradient alone, and each changes its own collections
    alone: what the other's forward pass would change in them is dropped. Two time scales are two
    learning rates. Optimistic descent does with one gradient a step nearly what `extragradient`
    does with two: `optax.optimistic_gradient_descent` or `optimistic_adam_v2(..., b1=0.0)` for both
    under `simultaneous`. (Momentum undoes it: with b1 = .9 a bilinear game still spirals out.)

    With n critic steps a batch of n B datapoints is dealt into n of B, one for each, and the
    generator's loss sees the last. (Datapoint i goes to step i mod n, so that on a mesh nothing
    moves between devices.) Every step draws from a key of its own. Latents are part of the batch,
    so that both losses see the same fakes.

    With `unroll=k` the generator descends its loss at the critic as it would be after k more of its
    steps, differentiated through: the critic's answer is part of the gradient. These k steps have
    the optimizer's state, batch and key of the generator's loss; they leave no trace in the game.
    Hand over the generator's whole loss, `objectives.zero_sum`: the critic's outputs on reals
    depend on the generator here, and a loss of the fakes' term alone misses that part of the slope.
    An optimizer with a square root needs a slope at zero for it: `optax.adam(..., eps_root=1e-16)`,
    or a gradient of exactly zero, such as a dead unit's, becomes NaN. The `sides` are made and
    differentiated once, not in each of the k steps.

    The info holds each player's own (of the critic's last step), its `loss` and `grad_norm`, under
    the prefixes `generator_` and `critic_`, and `all_finite`, of all steps.

    To train N games in one program, `jax.vmap` the update, or an epoch of it, over stacked games
    and keys.

    Args:
      generator_loss: `(own, other, key, batch) -> (scalar, changed collections, info)`; if it
        declares a keyword-only parameter `step`, it is given the number of this player's updates so
        far.
      critic_loss: the same from the critic's side: `own` is then the critic.
      generator_optimizer: that of `init_player`, as the next.
      critic_optimizer: any optax transformation; end it with `clip_weights` to clip them.
      critic_steps: of the critic per step of the generator.
      order: `critic_first`, `generator_first`, `simultaneous`, `extragradient`, or a function of
        that form.
      unroll: steps of the critic that the generator looks ahead; 0 is the plain update.
      sides: `(generator's variables, key, batch) -> ` what the critic's loss is given as `other`;
        by default the variables themselves.
      ema_decay: of the generator's average, batch statistics included; None if it keeps none.
    Raises:
      ValueError: critic_steps is below one, or above it under `extragradient`; unroll is below
        zero; ema_decay is outside (0, 1); a batch cannot be dealt; a loss is no scalar, or returns
        other collections than its player has.
    Example:
      >>> def generator_loss(own, other, key, batch):  # min over g of max over c: g c - c²/2
      ...     return own["params"] * other["params"], {}, {}
      >>> def critic_loss(own, other, key, batch):
      ...     return own["params"] ** 2 / 2 - own["params"] * other["params"], {}, {}
      >>> sgd = optax.sgd(0.1)
      >>> game = Game(init_player({"params": 1.0}, sgd), init_player({"params": 0.0}, sgd))
      >>> update = jax.jit(
      ...     alternating_step(generator_loss, critic_loss, sgd, sgd), donate_argnums=0
      ... )
      >>> game, info = update(game, jax.random.key(0), jnp.zeros(4))
      >>> float(game.critic.train.params), float(game.generator.train.params)  # .1, then 1 - .1²
      (0.1, 0.99)
    Source: Goodfellow et al. (2014), "Generative adversarial nets", algorithm 1; Metz et al.
      (2017), "Unrolled generative adversarial networks", equations 7 to 10, for `unroll`; Heusel et
      al. (2017), "GANs trained by a two time-scale update rule converge to a local Nash
      equilibrium", for two time scales; Daskalakis et al. (2018), "Training GANs with optimism";
      Gidel et al. (2019), "A variational inequality perspective on generative adversarial
      networks", for both as steps on variational inequalities.
    """
    critic_steps = at_least("critic_steps", critic_steps, 1)
    unroll = at_least("unroll", unroll, 0)
    if ema_decay is not None:
        between_0_and_1("ema_decay", ema_decay)
    seen_by_critic = sides or (lambda generator, key, batch: generator)
    loss_of_generator, loss_of_critic = given_step(generator_loss), given_step(critic_loss)

    def ahead(critic: Player, generator: Variables, key: Key, batch: Any) -> Variables:
        # The same draws in every step on purpose: one function is descended, as in the paper.
        seen = seen_by_critic(generator, jax.random.clone(key), batch)
        for _ in range(unroll):
            drawn = jax.random.clone(key)
            critic, _ = _step(loss_of_critic, critic_optimizer, critic, seen, drawn, batch)
        return critic.variables

    def update(game: Game, key: Key, batch: Any) -> tuple[Game, Info]:
        generator_key, critic_key = jax.random.split(key)
        critic_keys = jax.random.split(critic_key, critic_steps)
        dealt = jax.tree.map(lambda array: _deal(array, critic_steps), batch)
        last = jax.tree.map(lambda array: array[-1], dealt)

        # Keys are cloned: an order may take a step twice, of one function.
        def generator_step(
            generator: Player, critic: Player, at: Player | None = None
        ) -> tuple[Player, Info]:
            def loss(
                own: Variables, other: Variables, key: Key, batch: Any, *, step: jax.Array
            ) -> Any:
                # `other` is what follows from `own` here: the gradient runs through the answer.
                answer = ahead(critic, own, key, batch) if unroll else other
                return loss_of_generator(own, answer, key, batch, step=step)

            return _step(
                loss,
                generator_optimizer,
                generator,
                critic.variables,
                jax.random.clone(generator_key),
                last,
                ema_decay=ema_decay,
                at=at,
            )

        def critic_step(
            critic: Player, generator: Player, at: Player | None = None
        ) -> tuple[Player, Info]:
            if at is not None and critic_steps > 1:
                raise ValueError(
                    f"critic_steps: got {critic_steps}, expected 1 for an order that takes the "
                    "critic's gradient elsewhere (extragradient)"
                )

            def one(critic: Player, key: Key, batch: Any) -> tuple[Player, Info]:
                seen = seen_by_critic(generator.variables, jax.random.clone(key), batch)
                return _step(loss_of_critic, critic_optimizer, critic, seen, key, batch, at=at)

            keys = jax.random.clone(critic_keys)
            if critic_steps == 1:
                return one(critic, keys[0], last)
            critic, infos = scan_with_keys(one, critic, keys, dealt)
            info = jax.tree.map(lambda array: array[-1], infos)
            return critic, {**info, "all_finite": jnp.all(infos["all_finite"])}

        game, generator_info, critic_info = order(generator_step, critic_step, game)
        finite = generator_info.pop("all_finite") & critic_info.pop("all_finite")
        info = {f"generator_{name}": value for name, value in generator_info.items()}
        info |= {f"critic_{name}": value for name, value in critic_info.items()}
        return game, {**info, "all_finite": finite}

    return update


def clip_weights(bound: float) -> optax.GradientTransformation:
    """Returns the end of a chain that keeps every param within [-bound, bound], to rounding.

    Raises:
      ValueError: bound is not positive.
    Example:
      >>> optimizer = optax.chain(optax.sgd(1.0), clip_weights(0.01))
      >>> update = gradient_step(lambda params, key, batch: (params, {}), optimizer)
      >>> state, _ = update(init_state(jnp.float32(0.005), optimizer), jax.random.key(0), ())
      >>> float(state.params)
      -0.01
    Source: Arjovsky et al. (2017), "Wasserstein GAN", algorithm 1.
    """
    bound = positive("bound", bound)

    def clipped(updates: Params, params: Params | None) -> Params:
        assert params is not None, "the updates of this package always pass the params"
        return jax.tree.map(lambda u, p: jnp.clip(p + u, -bound, bound) - p, updates, params)

    return optax.stateless(clipped)


def _step(
    loss: Callable[..., Any],
    optimizer: optax.GradientTransformation,
    own: Player,
    other: Any,
    key: Key,
    batch: Any,
    *,
    ema_decay: float | None = None,
    at: Player | None = None,
) -> tuple[Player, Info]:
    """Returns the player after one step of its optimizer, its own collections as its loss left.

    The gradient is taken at its own params, or at those of `at`.
    """

    def params_loss(
        params: Params, key: Key, batch: Any, *, step: jax.Array
    ) -> tuple[jax.Array, Info]:
        if at is not None:  # the value is theirs, exactly, and the slope passes to the own
            params = jax.tree.map(
                lambda there, p: there + (p - jax.lax.stop_gradient(p)), at.train.params, params
            )
        value, changed, info = loss({"params": params, **own.mutable}, other, key, batch, step=step)
        return value, {"changed": changed, "info": info}

    train, step = gradient_step(params_loss, optimizer, ema_decay=ema_decay)(own.train, key, batch)
    changed, info = step.pop("changed"), step.pop("info")
    if changed.keys() != own.mutable.keys():  # one left out would stand still unnoticed
        raise ValueError(
            f"loss: got changes of {', '.join(sorted(changed)) or 'no collection'}, expected all "
            f"of the player's own ({', '.join(sorted(own.mutable)) or 'it has none'})"
        )
    mutable_ema = own.mutable_ema
    if ema_decay is not None:
        mutable_ema = move_average(mutable_ema, changed, train.step, ema_decay)
    return Player(train=train, mutable=changed, mutable_ema=mutable_ema), {**info, **step}


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

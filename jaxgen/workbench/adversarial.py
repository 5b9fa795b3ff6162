"""A GAN model and a loss made into what the alternating update needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxgen.models import Gan
from jaxgen.objectives import GanLoss, Penalty
from jaxgen.train import Game, Update, init_player
from jaxgen.types import Info, Key, PlayerLoss, Variables


class Batch(NamedTuple):
    """Reals and latents, as many of each."""

    x: Array
    z: Array


class PlayerLosses(NamedTuple):
    """The arguments of `alternating_step` by its names for them."""

    generator_loss: PlayerLoss
    critic_loss: PlayerLoss
    critic_view: Callable[[Variables, Key, Batch], Array]


def with_latents(update: Update, model: Gan) -> Update:
    """Returns the update of a batch of reals that draws as many latents, for both players.

    Both see the same fakes, which are then made once: a GAN on the ring trains in two thirds of the
    time. `shard` the update first, and the latents are split over the devices as the reals are.

    Example:
      epoch = scan_epoch(with_latents(shard(update, mesh), model), 128)
    """

    def updated(game: Game, key: Key, x: Array) -> tuple[Game, Info]:
        latent_key, update_key = jax.random.split(key)
        return update(game, update_key, Batch(x, model.sample_latent(latent_key, len(x))))

    return updated


def start_game(
    key: Key,
    model: Gan,
    generator_optimizer: optax.GradientTransformation,
    critic_optimizer: optax.GradientTransformation,
    *,
    ema: bool = False,
) -> Game:
    """Returns the game of a model's two nets before its first step.

    Args:
      ema: whether to keep an average of the generator's params.
    Example:
      game = start_game(jax.random.key(0), model, optax.adam(1e-4), optax.adam(4e-4))
    """
    generator, critic = model.init(key)
    return Game(
        generator=init_player(generator, generator_optimizer, ema=ema),
        critic=init_player(critic, critic_optimizer),
    )


def player_losses(
    model: Gan, loss: GanLoss, *, penalty: Penalty | None = None, penalty_weight: float = 0.0
) -> PlayerLosses:
    """Returns the generator's and the critic's loss over a `Batch`.

    The critic's sees nothing of the generator but its fakes. Reals and fakes pass the critic apart,
    as two batches. The penalty is taken outside training mode (running statistics), a pack at a
    time. The critic's info has its `accuracy` (a positive output says real) and the mean outputs.

    Args:
      model: the two nets.
      loss: per pair of a real and a fake.
      penalty: on the critic's slope.
      penalty_weight: its weight.
    Example:
      losses = player_losses(model, minimax())
      update = alternating_step(**losses._asdict(), generator_optimizer=g, critic_optimizer=c)
    """

    def make_fakes(generator: Variables, key: Key, batch: Batch) -> Array:
        return model.generate(generator, batch.z, train=True)[0]

    def of_generator(
        own: Variables, critic: Variables, key: Key, batch: Batch
    ) -> tuple[Array, Variables, Info]:
        fakes, changed = model.generate(own, batch.z, train=True)
        critic_fake, _ = model.criticize(critic, fakes, train=True)
        # Most losses make no use of the reals; the compiler then leaves this pass out.
        critic_real, _ = model.criticize(critic, batch.x, train=True)
        return jnp.mean(jax.vmap(loss.generator)(critic_real, critic_fake)), changed, {}

    def of_critic(
        own: Variables, fakes: Array, key: Key, batch: Batch
    ) -> tuple[Array, Variables, Info]:
        critic_real, changed = model.criticize(own, batch.x, train=True)
        critic_fake, changed = model.criticize({**own, **changed}, fakes, train=True)
        value = jnp.mean(jax.vmap(loss.critic)(critic_real, critic_fake))
        info = {
            "accuracy": (jnp.mean(critic_real > 0) + jnp.mean(critic_fake < 0)) / 2,
            "of_reals": jnp.mean(critic_real),
            "of_fakes": jnp.mean(critic_fake),
        }
        if penalty is not None:
            each = _penalties(model, penalty, own, key, batch.x, fakes)
            info["penalty"] = jnp.mean(each)
            value += penalty_weight * info["penalty"]
        return value, changed, info

    return PlayerLosses(of_generator, of_critic, make_fakes)


def _penalties(
    model: Gan, penalty: Penalty, critic: Variables, key: Key, reals: Array, fakes: Array
) -> Array:
    def one(pack: Array) -> Any:
        return model.criticize(critic, pack, train=False)[0][0]

    def packs(x: Array) -> Array:
        return x.reshape(-1, model.packing, *x.shape[1:])

    keys = jax.random.split(key, len(reals) // model.packing)
    return jax.vmap(lambda key, *pair: penalty(key, one, *pair))(keys, packs(reals), packs(fakes))

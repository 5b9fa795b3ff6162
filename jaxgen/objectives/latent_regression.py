"""The latent regressor: an encoder learned from samples whose latents are known."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.numerics import at_least_float32
from jaxgen.objectives.game import CRITIC
from jaxgen.types import GameLosses, Info, Key, Variables

REGRESSION = CRITIC - 1
"""Folded into a key, apart from those of the game."""


@runtime_checkable
class Invertible(Protocol):
    """What the regression asks of a model, `jaxgen.models.bigan` for one.

    Example:
      >>> nets = nn.Dense(3), nn.Dense(2), concatenated(MLPCritic((8,)))
      >>> model = bigan(*nets, prior=standard_normal(2), x_shape=(3,))
      >>> isinstance(model, Invertible)
      True
    """

    @property
    def generate(self) -> Any:
        """`(the player's variables, z, *, key=None, train) -> (x, changed)`."""

    @property
    def encode(self) -> Any:
        """`(the player's variables, x, *, key=None, train) -> (z, changed)`."""


def latent_regression(model: Invertible, losses: GameLosses) -> GameLosses:
    """Returns the game whose encoder lowers |z - E(G(z))|² as well, averaged over the batch.

    No gradient of it reaches the generator, which plays the game alone. With losses that have no
    slope in the encoder, such as a loss on fakes alone, this is the baseline that a BiGAN is
    compared with: E sees samples and never the data. The encoder's collections are those that
    encoding the samples leaves. The generator's info has the term as `regression`.

    Args:
      model: whose player is both nets; its batches have the latents as `z`.
      losses: of its game.
    Example:
      >>> nets = nn.Dense(3), nn.Dense(2), concatenated(MLPCritic((8,)))
      >>> model = bigan(*nets, prior=standard_normal(2), x_shape=(3,))
      >>> losses = latent_regression(model, game_losses(model, non_saturating()))
      >>> player, critic = model.init(jax.random.key(0))
      >>> batch = losses.draw(jax.random.key(1), jnp.ones((4, 3)))
      >>> value, _, info = losses.generator(player, critic, jax.random.key(2), batch)
      >>> bool(value > info["regression"] > 0)
      True
    Source: Donahue et al. (2017), "Adversarial feature learning", section 4.1.
    """

    def of_generator(
        own: Variables, critic: Variables, key: Key, batch: Any
    ) -> tuple[Array, Variables, Info]:
        value, changed, info = losses.generator(own, critic, key, batch)
        key_generator, key_encoder = jax.random.split(jax.random.fold_in(key, REGRESSION))
        x, _ = model.generate(own, batch.z, key=key_generator, train=True)
        found, of_encoder = model.encode(own, jax.lax.stop_gradient(x), key=key_encoder, train=True)
        error = jnp.square(at_least_float32("encoder", found - batch.z))
        term = jnp.mean(jnp.sum(error, axis=-1))
        changed = changed | {name: changed[name] | tree for name, tree in of_encoder.items()}
        return value + term, changed, {**info, "regression": term}

    return losses._replace(generator=of_generator)

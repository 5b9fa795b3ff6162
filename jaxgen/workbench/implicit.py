"""A DCGAN as a model of images: draws, and no likelihood."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.metrics import frechet_distance
from jaxgen.models import Gan, gan
from jaxgen.nets import DCGANCritic, DCGANGenerator, dcgan_channels
from jaxgen.objectives import GAN_LOSSES, game_losses
from jaxgen.train import Game, game_update, init_game
from jaxgen.types import Info, Key, Params, Variables
from jaxgen.workbench.image_models import ImageModel
from jaxgen.workbench.images import Images, generated_images
from jaxgen.workbench.run import Run
from jaxgen.workbench.training import train

STEP_SIZE, DECAY, JUDGED = 5e-4, 0.999, 1000


def image_gan(image_shape: tuple[int, int, int], latent_size: int, width: int = 32) -> Gan:
    """Returns the two players of a DCGAN for images of a shape.

    Args:
      image_shape: (height, width, channels).
      latent_size: dimensions of z.
      width: channels of the largest feature map.
    Example:
      >>> players = image_gan((8, 8, 1), 16)
    """
    channels = dcgan_channels(image_shape, width)
    generator, critic = DCGANGenerator(image_shape, channels[::-1]), DCGANCritic(channels)
    return gan(generator, critic, latent_size=latent_size, x_shape=image_shape)


def implicit_model(players: Gan, levels: int) -> ImageModel:
    """Returns the generator as a model without a likelihood; its params are its variables.

    Example:
      >>> implicit_model(image_gan((8, 8, 1), 16), 17).likelihood
      'none'
    """

    levels = at_least("levels", levels, 2)

    def draw(generator: Params, key: Key) -> Array:
        x, _ = players.generate(generator, players.sample_latent(key, 1), train=False)
        return jnp.rint(x[0] * (levels - 1)) / (levels - 1)

    def no_loss(*at: Any) -> Any:
        raise ValueError("loss: got a model without a likelihood, expected fit_gan to train it")

    return ImageModel(lambda key: players.init(key)[0], no_loss, None, draw, "none")


def fit_gan(run: Run, players: Gan, images: Images, keys: tuple[Key, Key, Key]) -> Variables:
    """Returns the average of the generator's variables after the run's training.

    The non-saturating loss; one step of either player in turn.

    Args:
      keys: of the start, the training and the judge; cloned.
    Example:
      >>> fitted = partial(
      ...     fit_gan, players=image_gan((8, 8, 1), 16), images=images
      ... )  # of (run, keys=...)
    """
    optimizer = optax.adam(STEP_SIZE, b1=0.5)
    losses = game_losses(players, GAN_LOSSES["non_saturating"]())
    step = game_update(losses, optimizer, optimizer, ema_decay=DECAY)
    key_init, key_fit, key_judge = keys

    def update(game: Game, key: Key, batch: Array) -> tuple[Game, Info]:
        key_x, key_update = jax.random.split(key)
        return step(game, key_update, images.train.prepare(key_x, batch))

    @jax.jit
    def judge(generator: Variables, key: Key, reals: Array) -> Info:
        z = players.sample_latent(key, len(reals))
        fakes = generated_images(players.generate, generator, z)
        flat = [x.reshape(len(x), -1) / 255.0 for x in (reals, fakes)]
        return {"frechet": frechet_distance(*flat).value}

    return train(
        run,
        jax.jit(lambda key: init_game(key, players, optimizer, optimizer, ema=True))(
            jax.random.clone(key_init)
        ),
        update,
        images.train.images,
        judge,
        key=key_fit,
        judge_key=key_judge,
        held_out=images.validation.images[:JUDGED],
        evaluated=lambda game: game.generator.averaged,
        monitor="frechet",
        better="lower",
    ).params

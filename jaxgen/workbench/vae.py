"""The VAE of images that several recipes share: an MLP each way, its start at the mean image."""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from jaxgen.models import LIKELIHOODS, LatentVariableModel, Likelihood, gaussian_vae
from jaxgen.nets import MLP


def bias_of_mean(
    likelihood: Likelihood, images: UInt8[np.ndarray, "n height width channels"]
) -> Float[Array, "height width channels outputs"]:
    """Returns the bias at which an untrained decoder says the mean of `images`.

    Example:
      bias = bias_of_mean(LIKELIHOODS["bernoulli"], train.images)
      decoder = MLP((200,), bias.shape, output_bias_init=lambda *_: bias)
    """
    return likelihood.initial_bias(jnp.asarray(images.mean(axis=0, dtype=np.float64) / 255))


def image_vae(
    images: UInt8[np.ndarray, "n height width channels"],
    hidden: tuple[int, ...],
    latent_size: int,
    *,
    likelihood: str = "bernoulli",
    activation: Callable[[Array], Array] = nn.tanh,
    wrap_encoder: Callable[[nn.Module], nn.Module] = lambda encoder: encoder,
) -> LatentVariableModel:
    """Returns the VAE of an MLP each way, whose untrained decoder says the mean of `images`.

    Args:
      images: to train on.
      hidden: widths of the encoder's hidden layers, in reverse the decoder's.
      latent_size: dimensions of z.
      likelihood: a name of `LIKELIHOODS`.
      activation: after every hidden layer.
      wrap_encoder: of the encoder's network, the one to use.
    Example:
      model = image_vae(train.images, config.hidden, config.latent_size)
    """
    family = LIKELIHOODS[likelihood]
    bias = bias_of_mean(family, images)
    return gaussian_vae(
        wrap_encoder(MLP(hidden, (2, latent_size), activation)),
        MLP(hidden[::-1], bias.shape, activation, output_bias_init=constant(bias)),
        family.distribution,
        latent_size=latent_size,
        x_shape=images.shape[1:],
    )


def constant(value: Array) -> Callable[..., Array]:
    """Returns the initializer that is always `value`.

    Example:
      MLP((200,), bias.shape, output_bias_init=constant(bias))
    """
    return lambda key, shape, dtype=jnp.float32: jnp.asarray(value, dtype)

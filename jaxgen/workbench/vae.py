"""The VAE of images that several recipes share: an MLP each way, its start at the mean image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from jaxgen.models import LIKELIHOODS, LatentVariableModel, Likelihood, gaussian_vae, observe
from jaxgen.nets import MLP
from jaxgen.objectives import KL, analytic_kl, elbo
from jaxgen.types import Info, Key, Params


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


def negative_elbo(
    model: LatentVariableModel, prepare: Callable[[Key, Array], Array], *, kl: KL = analytic_kl
) -> Callable[..., tuple[Array, Info]]:
    """Returns `(params, key, bytes of one image, beta=1) -> (beta KL - reconstruction, terms)`.

    The terms are `elbo` (at beta = 1), `reconstruction` and `kl`, in nats.

    Args:
      prepare: `(key, bytes) -> x`, such as that of an `ImageSet`.
      kl: in closed form, or estimated at the sample of z.
    Example:
      update = gradient_step(mean_over_batch(negative_elbo(model, train.prepare)), optimizer)
    Source: Higgins et al. (2017), beta-VAE, for the weight.
    """

    def one(params: Params, key: Key, image: Array, beta: Any = 1.0) -> tuple[Array, Info]:
        key_x, key_z = jax.random.split(key)
        at = observe(model, params, prepare(key_x, image))
        terms = elbo(key_z, at.log_likelihood, at.q, at.prior, kl=kl)
        return beta * terms.kl - terms.reconstruction, {"elbo": terms.elbo, **terms._asdict()}

    return one

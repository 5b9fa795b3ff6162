"""Models of images that recipes share: networks that start at the mean image, and pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from jaxgen.array_checks import arrays
from jaxgen.data import ImageSet
from jaxgen.models import (
    LIKELIHOODS,
    LatentVariableModel,
    Likelihood,
    belief_network,
    discretized_logistic,
    gaussian_vae,
)
from jaxgen.nets import MLP, AnyNet, as_net
from jaxgen.pictures import image_grid, latent_grid, side_by_side
from jaxgen.types import Key, Params

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LATTICE = 15
"""Points of each dimension in the picture of two latents."""
RECONSTRUCTED = 30


def mean_image(
    images: UInt8[np.ndarray, "n height width channels"],
) -> Float[Array, "height width channels"]:
    """Returns the mean of `images`, in [0, 1].

    Example:
      >>> mean_image(images.train.images).shape
      (8, 8, 1)
    """
    return jnp.asarray(images.mean(axis=0, dtype=np.float64) / 255)


def bias_of_mean(
    likelihood: Likelihood, images: UInt8[np.ndarray, "n height width channels"]
) -> Float[Array, "height width channels outputs"]:
    """Returns the bias at which an untrained decoder says the mean of `images`.

    Example:
      >>> bias = bias_of_mean(LIKELIHOODS["bernoulli"], images.train.images)
      >>> decoder = MLP((200,), bias.shape, output_bias_init=constant(bias))
    """
    return likelihood.initial_bias(mean_image(images))


def constant(value: Array) -> Callable[..., Array]:
    """Returns the initializer that is always `value`.

    Example:
      >>> constant(jnp.ones(3))(key, (3,))
      Array([1., 1., 1.], dtype=float32)
    """
    return lambda key, shape, dtype=jnp.float32: jnp.asarray(value, dtype)


def image_vae(
    images: ImageSet,
    hidden: tuple[int, ...],
    latent_size: int,
    *,
    likelihood: str = "bernoulli",
    activation: Callable[[Array], Array] = nn.tanh,
    wrap_encoder: Callable[[nn.Module], nn.Module] = lambda encoder: encoder,
    precision: Callable[[AnyNet], AnyNet] = as_net,
) -> LatentVariableModel:
    """Returns the VAE of an MLP each way, whose untrained decoder says the mean of `images`.

    Args:
      images: to train on.
      hidden: widths of the encoder's hidden layers, in reverse the decoder's.
      latent_size: dimensions of z.
      likelihood: a name of `LIKELIHOODS`; the logistic one has the levels of the images.
      activation: after every hidden layer.
      wrap_encoder: of the encoder's network, the one to use.
      precision: of both nets, those to compute with, such as `half_precision`.
    Example:
      >>> vae = image_vae(images.train, (8,), 2)
      >>> jax.eval_shape(vae.decode, params, jnp.zeros(2)).event_shape
      (8, 8, 1)
    """

    def decoder(shape: tuple[int, ...], **options: Any) -> nn.Module:
        return MLP(hidden[::-1], shape, activation, **options)

    encoder = wrap_encoder(MLP(hidden, (2, latent_size), activation))
    shared = {"likelihood": likelihood, "precision": precision}
    return vae_of_nets(images, encoder, decoder, latent_size, **shared)


def image_belief_network(
    images: UInt8[np.ndarray, "n height width channels"],
    hidden: tuple[int, ...],
    latent_size: int,
) -> LatentVariableModel:
    """Returns the belief network of an MLP each way; the untrained decoder says the mean image.

    Affine without hidden layers, else leaky ReLUs of slope .3 below zero, as Dong et al. (2020).

    Args:
      images: to train on.
      hidden: widths of the hidden layers on each side.
      latent_size: dimensions of z.
    Example:
      >>> network = image_belief_network(images.train.images, (8,), 4)
      >>> list(jax.eval_shape(network.init, key))
      ['decoder', 'encoder', 'prior']
    """
    bernoulli = LIKELIHOODS["bernoulli"]
    bias = bias_of_mean(bernoulli, images)

    def leaky_relu(x: Array) -> Array:
        return nn.leaky_relu(x, 0.3)

    return belief_network(
        MLP(hidden, (latent_size,), leaky_relu),
        MLP(hidden, bias.shape, leaky_relu, output_bias_init=constant(bias)),
        bernoulli.distribution,
        latent_size=latent_size,
        x_mean=mean_image(images),
    )


def vae_of_nets(
    images: ImageSet,
    encoder: nn.Module,
    decoder: Callable[..., nn.Module],
    latent_size: int,
    *,
    likelihood: str = "bernoulli",
    precision: Callable[[AnyNet], AnyNet] = as_net,
) -> LatentVariableModel:
    """Returns the VAE of any two networks, whose untrained decoder says the mean of `images`.

    Args:
      images: to train on.
      encoder: one image to [2, latent_size].
      decoder: `(shape of the outputs, output_bias_init=...) -> network`.
      latent_size: dimensions of z.
      likelihood: a name of `LIKELIHOODS`; the logistic one has the levels of the images.
      precision: of both nets, those to compute with, such as `half_precision`.
    Example:
      >>> vae = vae_of_nets(images.train, ConvEncoder((2, 16)), ConvDecoder, 16)
    """
    family = LIKELIHOODS[likelihood]
    if likelihood == "discretized_logistic":
        family = discretized_logistic(images.levels)
    bias = bias_of_mean(family, images.images)
    return gaussian_vae(
        precision(encoder),
        precision(decoder(bias.shape, output_bias_init=constant(bias))),
        family.distribution,
        latent_size=latent_size,
        x_shape=images.images.shape[1:],
    )


def reconstruct(
    model: LatentVariableModel, params: Params, x: Float[Array, "n height width channels"]
) -> Float[Array, "n height width channels"]:
    """Returns E[x|z] at the posterior's mean of every image.

    Example:
      >>> reconstruct(model, params, x).shape
      (5, 8, 8, 1)
    """
    arrays("params", params)
    return _reconstruct(model, params, x)


@partial(jax.jit, static_argnums=0)
def _reconstruct(model: LatentVariableModel, params: Params, x: Array) -> Array:
    z = jax.vmap(lambda x: model.encode(params, x).mean())(x)
    return jax.vmap(lambda z: model.decode(params, z).mean())(z)


def draw_vae(
    key: Key,
    model: LatentVariableModel,
    params: Params,
    images: ImageSet,
    infer: Callable[[Key, Any], Array] = lambda key, q: q.mean(),
) -> dict[str, Figure]:
    """Returns pictures of samples, of reconstructions and, of two latents, of where they lead.

    Args:
      model: of z and images in [0, 1].
      images: to be reconstructed, the first of them.
      infer: `(key, q(z|x)) -> z`.
    Example:
      >>> list(draw_vae(key, model, params, images.test))
      ['samples', 'reconstructions', 'latent_grid']
    """
    arrays("params", params)
    key_prior, key_x, key_q = jax.random.split(key, 3)

    def decode_one(params: Params, z: Array) -> Array:
        # The means of Gaussian pixels may leave [0, 1].
        return jnp.clip(model.decode(params, z).mean(), 0, 1)

    def encode_one(params: Params, key: Key, x: Array) -> Array:
        return infer(key, model.encode(params, x))

    decode = partial(jax.jit(jax.vmap(decode_one, (None, 0))), params)
    encode = partial(jax.jit(jax.vmap(encode_one, (None, 0, 0))), params)
    gray = images.images[:RECONSTRUCTED] / 255
    x = jax.jit(images.prepare)(key_x, images.images[:RECONSTRUCTED])
    seen = decode(encode(jax.random.split(key_q, len(x)), x))
    drawn = {} if np.allclose(x, gray, atol=1 / 255) else {"as drawn": x}
    z = model.prior(params).sample(seed=key_prior, sample_shape=(100,))
    figures = {
        "samples": image_grid(decode(z), title="E[x|z] for z from the prior"),
        "reconstructions": side_by_side(
            {"image": gray, **drawn, "reconstructed": seen}, title="Reconstructions"
        ),
    }
    if z.shape == (100, 2):
        quantiles = (np.arange(LATTICE) + 0.5) / LATTICE
        axis = [NormalDist().inv_cdf(quantile) for quantile in quantiles]
        lattice = decode(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2))
        lattice = lattice.reshape(LATTICE, LATTICE, *lattice.shape[1:])
        figures["latent_grid"] = latent_grid(lattice, quantiles.tolist())
    return figures

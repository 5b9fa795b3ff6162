"""The variational autoencoder: a Gaussian latent, a network each way."""

from __future__ import annotations

from collections.abc import Callable

import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.models.latent_variable import LatentVariableModel
from jaxgen.types import Key, Params


def diagonal_gaussian(
    mean: Float[Array, "latent"], log_scale: Float[Array, "latent"]
) -> distrax.Independent:
    """Returns N(mean, diag(exp(log_scale))²) over one vector."""
    return distrax.Independent(distrax.Normal(mean, jnp.exp(log_scale)), 1)


def gaussian_vae(
    encoder: nn.Module,
    decoder: nn.Module,
    likelihood: Callable[[Array], distrax.Independent],
    *,
    latent_size: int,
    x_shape: tuple[int, ...],
) -> LatentVariableModel:
    """Returns the VAE with p(z) = N(0, I) and q(z|x) = N(mean(x), diag(scale(x))²).

    Args:
      encoder: one x to [2, latent_size], the mean and the log scale.
      decoder: one z to the likelihood's parameters.
      likelihood: those parameters to p(x|z).
      latent_size: length of z, at least one.
      x_shape: shape of one datapoint.
    Raises:
      ValueError: latent_size is below one; at init, if the encoder's output has another shape.
    Example:
      model = gaussian_vae(
          MLP((200,), (2, 50)), MLP((200,), (28, 28, 1, 1)), LIKELIHOODS["bernoulli"].distribution,
          latent_size=50, x_shape=(28, 28, 1))
      params = model.init(jax.random.key(0))
    Source: Kingma & Welling (2014), section 3.
    """
    latent_size = at_least("latent_size", latent_size, 1)

    def init(key: Key) -> Params:
        key_encoder, key_decoder = jax.random.split(key)
        outputs, encoder_params = encoder.init_with_output(key_encoder, jnp.zeros(x_shape))
        if outputs.shape != (2, latent_size):
            raise ValueError(
                f"encoder: got an output of shape {outputs.shape}, expected (2, {latent_size})"
            )
        decoder_params = decoder.init(key_decoder, jnp.zeros(latent_size))
        return {"encoder": encoder_params, "decoder": decoder_params}

    def prior(params: Params) -> distrax.Independent:
        return diagonal_gaussian(jnp.zeros(latent_size), jnp.zeros(latent_size))

    def encode(params: Params, x: Array) -> distrax.Independent:
        mean, log_scale = jnp.asarray(encoder.apply(params["encoder"], x))
        return diagonal_gaussian(mean, log_scale)

    def decode(params: Params, z: Array) -> distrax.Independent:
        return likelihood(jnp.asarray(decoder.apply(params["decoder"], z)))

    return LatentVariableModel(init, prior, encode, decode)

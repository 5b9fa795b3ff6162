"""The sigmoid belief network: a vector of Bernoulli latents, a network each way."""

from __future__ import annotations

from collections.abc import Callable

import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.distributions import Bernoulli
from jaxgen.models.latent_variable import LatentVariableModel
from jaxgen.types import Key, Params


def belief_network(
    encoder: nn.Module,
    decoder: nn.Module,
    likelihood: Callable[[Array], distrax.Independent],
    *,
    latent_size: int,
    x_mean: Float[Array, "..."],
) -> LatentVariableModel:
    """Returns the model with p(z) = Bernoulli(logits), learned, and q(z|x) = Bernoulli(logits(x)).

    One stochastic layer: linear if both nets are affine, else nonlinear. Samples are floats, 0 or
    1. Every log probability is affine in z, or a network of it, so that relaxed values between 0
    and 1 are accepted wherever samples are. The prior starts at logits of zero.

    Args:
      encoder: one x, less the mean, to the logits [latent_size] of q(z|x).
      decoder: one z to the likelihood's parameters; `Likelihood.initial_bias` is where its output
        should start.
      likelihood: those parameters to p(x|z).
      latent_size: length of z, at least one.
      x_mean: mean of the data, of the shape of one datapoint.
    Raises:
      ValueError: latent_size is below one; at init, if the encoder's output has another shape.
    Example:
      model = belief_network(
          MLP((), (200,)), MLP((), (28, 28, 1, 1)), LIKELIHOODS["bernoulli"].distribution,
          latent_size=200, x_mean=images.mean(axis=0))
      params = model.init(jax.random.key(0))
    Source: Neal (1992); with an encoder: Mnih & Gregor (2014), section 2.
    """
    latent_size = at_least("latent_size", latent_size, 1)

    def init(key: Key) -> Params:
        key_encoder, key_decoder = jax.random.split(key)
        logits, encoder_params = encoder.init_with_output(key_encoder, jnp.zeros_like(x_mean))
        if logits.shape != (latent_size,):
            raise ValueError(
                f"encoder: got an output of shape {logits.shape}, expected ({latent_size},)"
            )
        decoder_params = decoder.init(key_decoder, jnp.zeros(latent_size))
        return {
            "encoder": encoder_params,
            "decoder": decoder_params,
            "prior": jnp.zeros(latent_size),
        }

    def prior(params: Params) -> distrax.Independent:
        return distrax.Independent(Bernoulli(params["prior"]), 1)

    def encode(params: Params, x: Array) -> distrax.Independent:
        logits = jnp.asarray(encoder.apply(params["encoder"], x - x_mean))
        return distrax.Independent(Bernoulli(logits), 1)

    def decode(params: Params, z: Array) -> distrax.Independent:
        return likelihood(jnp.asarray(decoder.apply(params["decoder"], z)))

    return LatentVariableModel(init, prior, encode, decode)

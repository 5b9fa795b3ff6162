"""The variational autoencoder: a continuous latent, a network each way."""

from __future__ import annotations

from collections.abc import Callable

import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.models.latent_variable import LatentVariableModel
from jaxgen.models.posteriors import Posterior, gaussian_posterior
from jaxgen.models.priors import Prior, standard_normal
from jaxgen.types import Key, Params


def vae(
    prior: Prior,
    posterior: Posterior,
    decoder: nn.Module,
    likelihood: Callable[[Array], distrax.Independent],
    *,
    latent_size: int,
    x_shape: tuple[int, ...],
) -> LatentVariableModel:
    """Returns the model of any prior p(z) and posterior q(z|x) with a decoder of one z.

    Params: `encoder`, the posterior's; `decoder`; `prior`, where it has any.

    Args:
      prior: of one vector.
      posterior: of a vector of the same length.
      decoder: the first latent_size entries of one z to the likelihood's parameters.
      likelihood: those parameters to p(x|z).
      latent_size: how many entries the decoder sees: all, in a model of one stochastic layer.
      x_shape: shape of one datapoint.
    Raises:
      ValueError: latent_size is below one; at init, what the posterior refuses.
    Example:
      model = vae(
          gaussian_mixture(50, 10), gaussian_posterior(MLP((200,), (2, 50)), 50),
          MLP((200,), (28, 28, 1, 1)), LIKELIHOODS["bernoulli"].distribution,
          latent_size=50, x_shape=(28, 28, 1))
    Source: Kingma & Welling (2014), section 2.
    """
    latent_size = at_least("latent_size", latent_size, 1)

    def init(key: Key) -> Params:
        key_encoder, key_decoder, key_prior = jax.random.split(key, 3)
        return {
            "encoder": posterior.init(key_encoder, jnp.zeros(x_shape)),
            "decoder": decoder.init(key_decoder, jnp.zeros(latent_size)),
            "prior": prior.init(key_prior),
        }

    def decode(params: Params, z: Array) -> distrax.Independent:
        return likelihood(jnp.asarray(decoder.apply(params["decoder"], z[:latent_size])))

    return LatentVariableModel(
        init=init,
        prior=lambda params: prior.distribution(params["prior"]),
        encode=lambda params, x: posterior.distribution(params["encoder"], x),
        decode=decode,
    )


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
    return vae(
        standard_normal(latent_size),
        gaussian_posterior(encoder, latent_size),
        decoder,
        likelihood,
        latent_size=latent_size,
        x_shape=x_shape,
    )

"""The sigmoid belief network: a vector of Bernoulli latents, a network each way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.distributions import Bernoulli, Independent
from jaxgen.models.decoder import decoder as decoder_density
from jaxgen.models.density import Density
from jaxgen.models.latent_variable import LatentVariableModel
from jaxgen.models.networks import AnyNet, network
from jaxgen.models.vae import vae
from jaxgen.types import DistraxDistribution, Key, Params


def belief_network(
    encoder: AnyNet,
    decoder: AnyNet,
    likelihood: Callable[[Array], DistraxDistribution],
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
      ValueError: latent_size is below one; at init, if the encoder's output has another shape; in
        use, if x or z has another shape.
    Example:
      >>> model = belief_network(
      ...     MLP((), (5,)),
      ...     MLP((), (2, 2, 1, 1)),
      ...     LIKELIHOODS["bernoulli"].distribution,
      ...     latent_size=5,
      ...     x_mean=jnp.full((2, 2, 1), 0.5),
      ... )
      >>> params = model.init(jax.random.key(0))
      >>> z = model.encode(params, jnp.ones((2, 2, 1))).sample(seed=jax.random.key(1))  # five bits
    Source: Neal (1992); with an encoder: Mnih & Gregor (2014), section 2.
    """
    latent_size = at_least("latent_size", latent_size, 1)
    return vae(
        _bernoulli_prior(latent_size),
        _bernoulli_posterior(encoder, latent_size, x_mean),
        decoder_density(decoder, likelihood),
        latent_size=latent_size,
        x_shape=jnp.shape(x_mean),
    )


def _bernoulli_prior(size: int) -> Density:
    """Independent bits; the params are their logits."""

    def init(key: Key, context: Any) -> Params:
        return jnp.zeros(size)

    def distribution(params: Params, context: Any) -> Independent:
        return Independent(Bernoulli(params), 1)

    return Density(init, distribution)


def _bernoulli_posterior(encoder: AnyNet, size: int, x_mean: Array) -> Density:
    net = network("encoder", encoder, (size,))

    def distribution(params: Params, x: Any, *, key: Key | None = None) -> Independent:
        return Independent(Bernoulli(net.apply(params, x - x_mean, key)), 1)

    return Density(net.init, distribution)

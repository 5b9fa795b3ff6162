"""The variational autoencoder: a continuous latent, a network each way."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.array_checks import not_bytes, of_shape
from jaxgen.checks import at_least
from jaxgen.models.decoder import decoder as decoder_density
from jaxgen.models.density import Density, conditioned
from jaxgen.models.latent_variable import LatentVariableModel
from jaxgen.models.networks import AnyNet
from jaxgen.models.posteriors import gaussian_posterior
from jaxgen.models.priors import standard_normal
from jaxgen.types import DistraxDistribution, Key, Params


def vae(
    prior: Density,
    posterior: Density,
    decoder: Density,
    *,
    latent_size: int | tuple[int, ...],
    x_shape: tuple[int, ...],
) -> LatentVariableModel:
    """Returns the model of any prior p(z), posterior q(z|x) and decoder p(x|z).

    Params: `encoder`, the posterior's; `decoder`; `prior`, where it has any.

    Args:
      prior: of one z, in the context ().
      posterior: of a z of the same shape, in the context of one x.
      decoder: of one x, in the context of one z.
      latent_size: length of the vector z, or the shape of an array: (20, 10) of twenty one-hots.
      x_shape: shape of one datapoint.
    Raises:
      ValueError: latent_size is below one; at init, what the densities refuse; in use, x or z has
        another shape than these, or what the decoder gives is no distribution over one x.
    Example:
      >>> model = vae(
      ...     gaussian_mixture(3, num_components=5),
      ...     gaussian_posterior(MLP((8,), (2, 3)), 3),
      ...     decoder(MLP((8,), (4, 4, 1, 1)), LIKELIHOODS["bernoulli"].distribution),
      ...     latent_size=3,
      ...     x_shape=(4, 4, 1),
      ... )
      >>> params = model.init(jax.random.key(0))
      >>> q = model.encode(params, jnp.ones((4, 4, 1)))
    Source: Kingma & Welling (2014), section 2.
    """
    sizes = latent_size if isinstance(latent_size, tuple) else (latent_size,)
    z_shape = tuple(at_least("latent_size", size, 1) for size in sizes)

    def init(key: Key) -> Params:
        key_encoder, key_decoder, key_prior = jax.random.split(key, 3)
        return {
            "encoder": posterior.init(key_encoder, jnp.zeros(x_shape)),
            "decoder": decoder.init(key_decoder, jnp.zeros(z_shape)),
            "prior": prior.init(key_prior, ()),
        }

    def encode(params: Params, x: Array, *, key: Key | None = None) -> DistraxDistribution:
        of_shape("x", x, x_shape)
        not_bytes("x", x)
        return conditioned(posterior, params["encoder"], x, key)

    def decode(params: Params, z: Array, *, key: Key | None = None) -> DistraxDistribution:
        of_shape("z", z, z_shape)
        p = conditioned(decoder, params["decoder"], z, key)
        found = getattr(p, "batch_shape", ()), getattr(p, "event_shape", x_shape)
        if found != ((), tuple(x_shape)):
            raise ValueError(
                f"decoder: got a {type(p).__name__} of batch shape {found[0]} and event shape "
                f"{found[1]}, expected one distribution over {tuple(x_shape)}"
            )
        return p

    return LatentVariableModel(
        init=init,
        prior=lambda params: prior.distribution(params["prior"], ()),
        encode=encode,
        decode=decode,
    )


def gaussian_vae(
    encoder: AnyNet,
    decoder: AnyNet,
    likelihood: Callable[[Array], DistraxDistribution],
    *,
    latent_size: int,
    x_shape: tuple[int, ...],
) -> LatentVariableModel:
    """Returns the VAE with p(z) = N(0, I) and q(z|x) = N(mean(x), diag(scale(x))²).

    Args:
      encoder: one x to [2, latent_size], the mean and the log scale; a net of any library.
      decoder: one z to the likelihood's parameters.
      likelihood: those parameters to p(x|z).
      latent_size: length of z, at least one.
      x_shape: shape of one datapoint.
    Raises:
      ValueError: latent_size is below one; at init, if the encoder's output has another shape or a
        net keeps collections beside its params; in use, if x or z has another shape.
    Example:
      >>> model = gaussian_vae(
      ...     MLP((8,), (2, 3)),
      ...     MLP((8,), (4, 4, 1, 1)),
      ...     LIKELIHOODS["bernoulli"].distribution,
      ...     latent_size=3,
      ...     x_shape=(4, 4, 1),
      ... )
      >>> params = model.init(jax.random.key(0))
      >>> at = observe(model, params, jnp.ones((4, 4, 1)))
      >>> terms = elbo(jax.random.key(1), at.log_likelihood, at.q, at.prior)
      >>> loss = -(terms.reconstruction - terms.kl)  # nats of one image, to be lowered
    Source: Kingma & Welling (2014), section 3.
    """
    latent_size = at_least("latent_size", latent_size, 1)
    return vae(
        standard_normal(latent_size),
        gaussian_posterior(encoder, latent_size),
        decoder_density(decoder, likelihood),
        latent_size=latent_size,
        x_shape=x_shape,
    )

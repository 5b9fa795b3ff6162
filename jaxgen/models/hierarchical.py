"""Two stochastic layers, z2 -> z1 -> x, as one latent vector [z1, z2]."""

from __future__ import annotations

from collections.abc import Callable

import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.distributions import Conditioner, affine_coupling, diagonal_normal, init_conditioner
from jaxgen.models.latent_variable import LatentVariableModel
from jaxgen.models.posteriors import Posterior, init_encoder
from jaxgen.models.priors import Prior
from jaxgen.models.vae import vae
from jaxgen.types import Key, Params


def hierarchical_vae(
    encoders: tuple[nn.Module, nn.Module],
    top_down: nn.Module,
    decoder: nn.Module,
    likelihood: Callable[[Array], distrax.Independent],
    *,
    latent_sizes: tuple[int, int],
    x_shape: tuple[int, ...],
) -> LatentVariableModel:
    """Returns p(z2) p(z1|z2) p(x|z1) with q(z1|x) q(z2|z1), all conditionals diagonal Gaussians.

    Its latent is the vector [z1, z2]: a conditional Gaussian is an affine coupling of noise, so the
    prior and q are distrax distributions with exact log probabilities, reparameterized, and every
    bound and gradient takes them. No KL between them has a closed form: use `monte_carlo_kl`.

    Args:
      encoders: one x to [2, n1], mean and log scale of z1; one z1 to [2, n2], those of z2.
      top_down: one z2 to [2, n1], those of z1 under the prior.
      decoder: one z1 to the likelihood's parameters.
      likelihood: those parameters to p(x|z1).
      latent_sizes: n1 and n2, each at least one.
      x_shape: shape of one datapoint.
    Raises:
      ValueError: a size is below one; at init, if an output has another shape.
    Example:
      model = hierarchical_vae(
          (MLP((200,), (2, 100)), MLP((100,), (2, 50))), MLP((100,), (2, 100)),
          MLP((200,), (28, 28, 1, 1)), LIKELIHOODS["bernoulli"].distribution,
          latent_sizes=(100, 50), x_shape=(28, 28, 1))
      z1, z2 = jnp.split(model.prior(params).sample(seed=key), [100])
    Source: Burda et al. (2016), section 5, two stochastic layers; Rezende et al. (2014), section 3.
    """
    n1, n2 = (at_least("latent_sizes", size, 1) for size in latent_sizes)
    return vae(
        two_layer_prior(top_down, n1, n2),
        two_layer_posterior(*encoders, n1, n2),
        decoder,
        likelihood,
        latent_size=n1,
        x_shape=x_shape,
    )


def two_layer_prior(top_down: nn.Module, n1: int, n2: int) -> Prior:
    """Returns p(z1|z2) N(z2; 0, I) over [z1, z2]; `top_down` gives mean and log scale of z1."""
    size = n1 + n2

    def distribution(params: Params) -> distrax.Transformed:
        noise = diagonal_normal(jnp.zeros(size), jnp.zeros(size))
        conditioner = Conditioner(params, jnp.zeros(0), top_down)
        return distrax.Transformed(noise, affine_coupling(conditioner, n1, first_moves=True))

    return Prior(lambda key: init_conditioner(key, top_down, n2, n1), distribution)


def two_layer_posterior(encoder: nn.Module, bottom_up: nn.Module, n1: int, n2: int) -> Posterior:
    """Returns q(z1|x) q(z2|z1) over [z1, z2]; the nets give mean and log scale of z1 and of z2."""

    def init(key: Key, x: Array) -> Params:
        key_1, key_2 = jax.random.split(key)
        return {
            "encoder": init_encoder(key_1, encoder, x, (2, n1)),
            "bottom_up": init_conditioner(key_2, bottom_up, n1, n2),
        }

    def distribution(params: Params, x: Array) -> distrax.Transformed:
        of_z1 = jnp.asarray(encoder.apply(params["encoder"], x))
        mean, log_scale = jnp.concatenate([of_z1, jnp.zeros((2, n2))], axis=1)
        conditioner = Conditioner(params["bottom_up"], jnp.zeros(0), bottom_up)
        return distrax.Transformed(
            diagonal_normal(mean, log_scale), affine_coupling(conditioner, n1)
        )

    return Posterior(init, distribution)

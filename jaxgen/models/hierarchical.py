"""Two stochastic layers, z2 -> z1 -> x, as one latent vector [z1, z2]."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.distributions import Conditioner, Transformed, affine, coupling, diagonal_normal
from jaxgen.models.decoder import decoder as decoder_density
from jaxgen.models.density import Density
from jaxgen.models.latent_variable import LatentVariableModel
from jaxgen.models.networks import AnyNet, Network, network
from jaxgen.models.posteriors import split_or_none
from jaxgen.models.vae import vae
from jaxgen.types import DistraxDistribution, Key, Params

GAUSSIAN = affine(math.inf)
"""Of noise N(0, I) it makes any diagonal Gaussian."""


def hierarchical_vae(
    encoders: tuple[AnyNet, AnyNet],
    top_down: AnyNet,
    decoder: AnyNet,
    likelihood: Callable[[Array], DistraxDistribution],
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
      >>> model = hierarchical_vae(
      ...     (MLP((8,), (2, 4)), MLP((8,), (2, 2))),
      ...     MLP((8,), (2, 4)),
      ...     MLP((8,), (4, 4, 1, 1)),
      ...     LIKELIHOODS["bernoulli"].distribution,
      ...     latent_sizes=(4, 2),
      ...     x_shape=(4, 4, 1),
      ... )
      >>> params = jax.eval_shape(model.init, jax.random.key(0))  # shapes alone
      >>> model.prior(params).event_shape  # z1 and z2 in one vector
      (6,)
    Source: Burda et al. (2016), section 5, two stochastic layers; Rezende et al. (2014), section 3.
    """
    n1, n2 = (at_least("latent_sizes", size, 1) for size in latent_sizes)
    of_z1 = decoder_density(decoder, likelihood)
    return vae(
        two_layer_prior(top_down, n1, n2),
        two_layer_posterior(*encoders, n1, n2),
        Density(
            lambda key, z: of_z1.init(key, z[:n1]),
            lambda params, z, *, key=None: of_z1.distribution(params, z[:n1], key=key),
        ),
        latent_size=n1 + n2,
        x_shape=x_shape,
    )


def two_layer_prior(top_down: AnyNet, n1: int, n2: int) -> Density:
    """Returns p(z1|z2) N(z2; 0, I) over [z1, z2]; `top_down` gives mean and log scale of z1."""
    size = n1 + n2
    net = network("top_down", top_down, (2, n1))
    numbers = _numbers(net)

    def init(key: Key, context: Any) -> Params:
        return net.init(key, jnp.zeros(n2))

    def distribution(params: Params, context: Any) -> Transformed:
        noise = diagonal_normal(jnp.zeros(size), jnp.zeros(size))
        conditioner = Conditioner(params, (), None, numbers)
        bijector = coupling(conditioner, n1, GAUSSIAN, first_moves=True)
        return Transformed(noise, bijector, (size,))

    return Density(init, distribution)


def two_layer_posterior(encoder: AnyNet, bottom_up: AnyNet, n1: int, n2: int) -> Density:
    """Returns q(z1|x) q(z2|z1) over [z1, z2]; the nets give mean and log scale of z1 and of z2."""
    first, second = network("encoder", encoder, (2, n1)), network("bottom_up", bottom_up, (2, n2))
    numbers = _numbers(second)

    def init(key: Key, x: Any) -> Params:
        key_1, key_2 = jax.random.split(key)
        return {
            "encoder": first.init(key_1, x),
            "bottom_up": second.init(key_2, jnp.zeros(n1)),
        }

    def distribution(params: Params, x: Any, *, key: Key | None = None) -> Transformed:
        key_1, key_2 = split_or_none(key, 2)
        of_z1 = first.apply(params["encoder"], x, key_1)
        mean, log_scale = jnp.concatenate([of_z1, jnp.zeros((2, n2))], axis=1)
        conditioner = Conditioner(params["bottom_up"], (), key_2, numbers)
        bijector = coupling(conditioner, n1, GAUSSIAN)
        return Transformed(diagonal_normal(mean, log_scale), bijector, (n1 + n2,))

    return Density(init, distribution)


def _numbers(net: Network) -> Callable[..., Array]:
    """Returns the net with mean and log scale on the last axis, as a transform is told them."""
    return lambda params, z, key: net.apply(params, z, key).T

"""q(z|x): a diagonal Gaussian, or one that coupling layers bend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import distrax
import jax
import jax.numpy as jnp

from jaxgen.checks import at_least
from jaxgen.distributions import Conditioner, Independent, affine_coupling, diagonal_normal
from jaxgen.models.density import Density
from jaxgen.models.networks import AnyNet, Network, network
from jaxgen.types import Key, Params


def gaussian_posterior(encoder: AnyNet, latent_size: int) -> Density:
    """Returns q(z|x) = N(mean(x), diag(scale(x))²). Its params are the encoder's.

    Args:
      encoder: one x to [2, latent_size], the mean and the log scale.
      latent_size: length of z, at least one.
    Raises:
      ValueError: latent_size is below one; at init, the encoder's output is not one array of that
        shape, or it keeps collections (batch statistics) beside its params.
    Example:
      posterior = gaussian_posterior(MLP((200,), (2, 50)), 50)
    Source: Kingma & Welling (2014), section 3.
    """
    net = network("encoder", encoder, (2, at_least("latent_size", latent_size, 1)))

    def distribution(params: Params, x: Any, *, key: Key | None = None) -> Independent:
        mean, log_scale = net.apply(params, x, key)
        return diagonal_normal(mean, log_scale)

    return Density(net.init, distribution)


def flow_posterior(
    encoder: AnyNet,
    conditioner: Callable[[tuple[int, int]], AnyNet],
    latent_size: int,
    num_layers: int = 4,
) -> Density:
    """Returns a diagonal Gaussian q(z_0|x) and z = T(z_0; x), T of affine couplings.

    Each coupling moves one half of z by a network of the other half and of x's context, the halves
    in turn. Sampling is reparameterized, the log probability of any z exact, and every parameter
    shows in q: it goes with all gradients. Its KL has no closed form: use `monte_carlo_kl`. With a
    conditioner whose last layer starts at zero, T starts as the identity.

    Args:
      encoder: one x to [3, latent_size]: mean and log scale of z_0, and the context.
      conditioner: the shape [2, size] of shift and log scale to the network that gives them, of one
        vector.
      latent_size: length of z, at least two.
      num_layers: couplings; two move all of z.
    Raises:
      ValueError: a count is too small; at init, a net's output is not one array of its shape, or it
        keeps collections (batch statistics) beside its params.
    Example:
      posterior = flow_posterior(
          MLP((200,), (3, 50)),
          lambda shape: MLP((100,), shape, output_kernel_init=nn.initializers.zeros), 50)
    Source: Rezende & Mohamed (2015), equation 5, with the transformation of Dinh et al. (2017).
    """
    latent_size = at_least("latent_size", latent_size, 2)
    num_layers = at_least("num_layers", num_layers, 1)
    split = latent_size // 2
    # (how many entries stay, how many move), layer by layer: the second part moves first.
    parts = [(split, latent_size - split), (latent_size - split, split)] * num_layers
    net = network("encoder", encoder, (3, latent_size))
    layers = [(kept, conditioner_network(conditioner, moved)) for kept, moved in parts[:num_layers]]

    def init(key: Key, x: Any) -> Params:
        key_encoder, *keys = jax.random.split(key, num_layers + 1)
        return {
            "encoder": net.init(key_encoder, x),
            "layers": [
                layer.init(key, jnp.zeros(latent_size + kept))
                for key, (kept, layer) in zip(keys, layers, strict=True)
            ],
        }

    def distribution(params: Params, x: Any, *, key: Key | None = None) -> distrax.Transformed:
        key_encoder, *keys = split_or_none(key, num_layers + 1)
        mean, log_scale, context = net.apply(params["encoder"], x, key_encoder)
        couplings = [
            affine_coupling(
                Conditioner(own, context, key, layer.apply), split, first_moves=bool(i % 2)
            )
            for i, (own, key, (_, layer)) in enumerate(
                zip(params["layers"], keys, layers, strict=True)
            )
        ]
        base = diagonal_normal(mean, log_scale)
        return distrax.Transformed(base, distrax.Chain(couplings[::-1]))

    return Density(init, distribution)


def conditioner_network(conditioner: Callable[[tuple[int, int]], AnyNet], size: int) -> Network:
    """Returns the network of shift and log scale of `size` numbers."""
    return network("conditioner", conditioner((2, size)), (2, size))


def split_or_none(key: Key | None, num: int) -> list[Key | None]:
    """Returns as many keys as nets that draw in training; None for each where nothing is drawn."""
    return [None] * num if key is None else list(jax.random.split(key, num))

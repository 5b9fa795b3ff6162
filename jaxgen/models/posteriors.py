"""q(z|x): a diagonal Gaussian, or one that coupling layers bend."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.distributions import Conditioner, affine_coupling, diagonal_normal, init_conditioner
from jaxgen.types import Key, Params


class Posterior(NamedTuple):
    """A family of amortized q(z|x), as pure functions.

    Attributes:
      init: `(key, x) -> params`, for an x of the right shape.
      distribution: `(params, x) -> q(z|x)` over one vector, for one datapoint.
    """

    init: Callable[[Key, Array], Params]
    distribution: Callable[[Params, Array], distrax.Distribution]


def init_encoder(key: Key, encoder: nn.Module, x: Array, shape: tuple[int, ...]) -> Params:
    """Returns the encoder's params.

    Raises:
      ValueError: its output is not of `shape`.
    """
    outputs, params = encoder.init_with_output(key, x)
    if outputs.shape != shape:
        raise ValueError(f"encoder: got an output of shape {outputs.shape}, expected {shape}")
    return params


def gaussian_posterior(encoder: nn.Module, latent_size: int) -> Posterior:
    """Returns q(z|x) = N(mean(x), diag(scale(x))²). Its params are the encoder's.

    Args:
      encoder: one x to [2, latent_size], the mean and the log scale.
      latent_size: length of z, at least one.
    Raises:
      ValueError: latent_size is below one; at init, if the encoder's output has another shape.
    Example:
      posterior = gaussian_posterior(MLP((200,), (2, 50)), 50)
    Source: Kingma & Welling (2014), section 3.
    """
    shape = (2, at_least("latent_size", latent_size, 1))

    def distribution(params: Params, x: Array) -> distrax.Independent:
        mean, log_scale = jnp.asarray(encoder.apply(params, x))
        return diagonal_normal(mean, log_scale)

    return Posterior(lambda key, x: init_encoder(key, encoder, x, shape), distribution)


def flow_posterior(
    encoder: nn.Module,
    conditioner: Callable[[tuple[int, int]], nn.Module],
    latent_size: int,
    num_layers: int = 4,
) -> Posterior:
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
      ValueError: a count is too small; at init, if the encoder's output has another shape.
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
    layers = [(kept, conditioner((2, moved))) for kept, moved in parts[:num_layers]]

    def init(key: Key, x: Array) -> Params:
        key_encoder, *keys = jax.random.split(key, num_layers + 1)
        return {
            "encoder": init_encoder(key_encoder, encoder, x, (3, latent_size)),
            "layers": [
                init_conditioner(key, net, latent_size + kept, latent_size - kept)
                for key, (kept, net) in zip(keys, layers, strict=True)
            ],
        }

    def distribution(params: Params, x: Array) -> distrax.Transformed:
        mean, log_scale, context = jnp.asarray(encoder.apply(params["encoder"], x))
        couplings = [
            affine_coupling(Conditioner(own, context, net), split, first_moves=bool(i % 2))
            for i, (own, (_, net)) in enumerate(zip(params["layers"], layers, strict=True))
        ]
        base = diagonal_normal(mean, log_scale)
        return distrax.Transformed(base, distrax.Chain(couplings[::-1]))

    return Posterior(init, distribution)

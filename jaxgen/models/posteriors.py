"""q(z|x): a diagonal Gaussian, or one that the layers of a flow bend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.distributions import Independent, ScalarTransform, Transformed, affine, diagonal_normal
from jaxgen.models.density import Density
from jaxgen.models.flow_layers import (
    FlowLayer,
    autoregressive_layers,
    chain,
    coupling_layers,
    init_layers,
)
from jaxgen.models.networks import AnyNet, network
from jaxgen.nets import Net, as_net
from jaxgen.types import Key, Params, Variables

AFFINE = affine()


def gaussian_posterior(encoder: AnyNet, latent_size: int) -> Density:
    """Returns q(z|x) = N(mean(x), diag(scale(x))²). Its params are the encoder's.

    Args:
      encoder: one x to [2, latent_size], the mean and the log scale.
      latent_size: length of z, at least one.
    Raises:
      ValueError: latent_size is below one; at init, the encoder's output is not one array of that
        shape, or it keeps collections (batch statistics) beside its params.
    Example:
      >>> posterior = gaussian_posterior(MLP((8,), (2, 3)), latent_size=3)
      >>> x = jnp.ones((4, 4, 1))
      >>> q = posterior.distribution(posterior.init(jax.random.key(0), x), x)
      >>> q.mean().shape
      (3,)
    Source: Kingma & Welling (2014), section 3.
    """
    net = network("encoder", encoder, (2, at_least("latent_size", latent_size, 1)))

    def distribution(params: Params, x: Any, *, key: Key | None = None) -> Independent:
        mean, log_scale = net.apply(params, x, key)
        return diagonal_normal(mean, log_scale)

    return Density(net.init, distribution)


def flow_posterior(
    encoder: AnyNet,
    conditioner: Callable[[tuple[int, ...]], AnyNet],
    latent_size: int,
    num_layers: int = 4,
    transform: ScalarTransform = AFFINE,
) -> Density:
    """Returns a diagonal Gaussian q(z_0|x) and z = T(z_0; x), T of couplings.

    Each coupling moves one half of z by a network of the other half and of x's context, the halves
    in turn. Sampling is reparameterized, the log probability of any z exact, and every parameter
    shows in q: it goes with all gradients. Its KL has no closed form: use `monte_carlo_kl`. With a
    conditioner whose last layer starts at zero, T starts as the identity.

    Args:
      encoder: one x to [3, latent_size]: mean and log scale of z_0, and the context.
      conditioner: the shape [moved, transform.outputs] to the network that gives these numbers, of
        the vector [context, what stays].
      latent_size: length of z, at least two.
      num_layers: couplings; two move all of z.
      transform: of each entry that moves.
    Raises:
      ValueError: a count is too small; at init, a net's output is not one array of its shape, or it
        keeps collections (batch statistics) beside its params.
    Example:
      >>> def conditioner(shape):  # its last layer starts at zero, so the flow as the identity
      ...     return MLP((8,), shape, output_kernel_init=nn.initializers.zeros)
      >>> posterior = flow_posterior(MLP((8,), (3, 2)), conditioner, latent_size=2)
      >>> params = posterior.init(jax.random.key(0), jnp.ones(4))
      >>> qs = jax.vmap(lambda x: posterior.distribution(params, x))(jnp.ones((5, 4)))
      >>> qs.batch_shape  # one q(z|x) for each x
      (5,)
    Source: Rezende & Mohamed (2015), equation 5, with the transformation of Dinh et al. (2017).
    """
    latent_size = at_least("latent_size", latent_size, 2)
    layers = coupling_layers(
        lambda shape: _of_one_vector(conditioner(shape)), transform, (latent_size,), num_layers
    )
    return _transformed_posterior(encoder, layers, latent_size)


def inverse_autoregressive_posterior(
    encoder: AnyNet,
    net: Callable[[int], AnyNet],
    latent_size: int,
    num_layers: int = 2,
    transform: ScalarTransform = AFFINE,
) -> Density:
    """Returns a diagonal Gaussian q(z_0|x) and z = T(z_0; x), T of inverse autoregressive layers.

    A draw and its own log probability take one pass of every net (`sample_and_log_prob`); that of
    any other z takes a fixed point of every layer. Otherwise as `flow_posterior`.

    Args:
      encoder: one x to [3, latent_size]: mean and log scale of z_0, and the context.
      net: numbers per entry to a causal net of (z, context); see `autoregressive_layer`.
      latent_size: length of z, at least one.
      num_layers: that many nets, each with the order of the entries turned round.
      transform: of each entry.
    Raises:
      ValueError: as `flow_posterior`.
    Example:
      >>> posterior = inverse_autoregressive_posterior(
      ...     MLP((8,), (3, 2)), lambda outputs: MADE((8,), outputs), latent_size=2
      ... )
      >>> x = jnp.ones(4)
      >>> q = posterior.distribution(posterior.init(jax.random.key(0), x), x)
      >>> z, log_q = q.sample_and_log_prob(seed=jax.random.key(1))  # in one pass of every net
    Source: Kingma et al. (2016), "Improved variational inference with inverse autoregressive flow".
    """
    latent_size = at_least("latent_size", latent_size, 1)
    layers = autoregressive_layers(net, transform, (latent_size,), num_layers)
    return _transformed_posterior(encoder, layers, latent_size)


def _transformed_posterior(
    encoder: AnyNet, layers: Sequence[FlowLayer], latent_size: int
) -> Density:
    """Returns q(z|x) of z_0 from a Gaussian and the layers done to it, all in a context of x."""
    net = network("encoder", encoder, (3, latent_size))

    def init(key: Key, x: Any) -> Params:
        key_encoder, key_layers = jax.random.split(key)
        return {
            "encoder": net.init(key_encoder, x),
            "layers": init_layers(layers, key_layers, jnp.zeros(latent_size)),
        }

    def distribution(params: Params, x: Any, *, key: Key | None = None) -> Transformed:
        key_encoder, key_layers = split_or_none(key, 2)
        mean, log_scale, context = net.apply(params["encoder"], x, key_encoder)
        bijector = chain(layers, params["layers"], context, key_layers)
        return Transformed(diagonal_normal(mean, log_scale), bijector, (latent_size,))

    return Density(init, distribution)


def _of_one_vector(net: AnyNet) -> Net:
    """Returns the net of (z, context) that is `net` of the one vector [context, z]."""
    init, apply = as_net(net)

    def joined(inputs: tuple[Array, Array]) -> Array:
        return jnp.concatenate(inputs[::-1])

    def apply_joined(variables: Variables, inputs: Any, /, **options: Any) -> Any:
        return apply(variables, joined(inputs), **options)

    return Net(lambda key, inputs: init(key, joined(inputs)), apply_joined)


def split_or_none(key: Key | None, num: int) -> list[Key | None]:
    """Returns as many keys as nets that draw in training; None for each where nothing is drawn."""
    return [None] * num if key is None else list(jax.random.split(key, num))

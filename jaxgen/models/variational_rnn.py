"""The variational recurrent network: a latent per step, all of the past in one vector."""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.array_checks import of_shape
from jaxgen.checks import at_least
from jaxgen.distributions import diagonal_normal
from jaxgen.models.decoder import decoder as decoder_density
from jaxgen.models.networks import AnyNet, network
from jaxgen.models.sequential import SequentialModel
from jaxgen.types import DistraxDistribution, Key, Params


def variational_rnn(
    cell: nn.RNNCellBase,
    prior: AnyNet,
    encoder: AnyNet,
    decoder: AnyNet,
    likelihood: Callable[[Array], DistraxDistribution],
    *,
    latent_size: int,
    x_size: int,
) -> SequentialModel:
    """Returns h_t = cell(h_{t-1}, [z_t, x_t]) with prior, proposal and likelihood read off h_{t-1}.

    The state is h, zero before the first step; every latent depends on all of the past.

    Args:
      cell: `(h, [z, x]) -> (h, output)` with h one vector, such as `nn.GRUCell(64)`.
      prior: h to [2, latent_size], mean and log scale of z_t.
      encoder: [h, x] to [2, latent_size], mean and log scale of the proposal.
      decoder: [h, z] to the likelihood's parameters.
      likelihood: those to p(x_t | h, z_t), over vectors.
      latent_size: length of z_t, at least one.
      x_size: length of x_t, at least one.
    Raises:
      ValueError: a size is below one; at init, if an output has another shape; in use, if x or z
        has.
    Example:
      >>> model = variational_rnn(
      ...     nn.GRUCell(8),
      ...     MLP((8,), (2, 2)),
      ...     MLP((8,), (2, 2)),
      ...     MLP((8,), (3,)),
      ...     lambda logits: Independent(Bernoulli(logits), 1),
      ...     latent_size=2,
      ...     x_size=3,
      ... )
      >>> params = jax.eval_shape(model.init, jax.random.key(0))
    Source: Chung et al. (2015), equations 5 to 9.
    """
    latent_size = at_least("latent_size", latent_size, 1)
    x_size = at_least("x_size", x_size, 1)

    prior_net = network("prior", prior, (2, latent_size))
    encoder_net = network("encoder", encoder, (2, latent_size))
    p_of_x = decoder_density(decoder, likelihood)

    def init(key: Key) -> Params:
        keys = jax.random.split(key, 4)
        h, z, x = start({}), jnp.zeros(latent_size), jnp.zeros(x_size)
        return {
            "prior": prior_net.init(keys[0], h),
            "encoder": encoder_net.init(keys[1], jnp.concatenate([h, x])),
            "decoder": p_of_x.init(keys[2], jnp.concatenate([h, z])),
            "cell": cell.init(keys[3], h, jnp.concatenate([z, x])),
        }

    def start(params: Params) -> Array:
        return cell.initialize_carry(jax.random.key(0), (latent_size + x_size,))

    def prior_of(params: Params, h: Array) -> DistraxDistribution:
        return diagonal_normal(*prior_net.apply(params["prior"], h))

    def encode(params: Params, h: Array, x: Array) -> DistraxDistribution:
        of_shape("x", x, (x_size,))
        return diagonal_normal(*encoder_net.apply(params["encoder"], jnp.concatenate([h, x])))

    def decode(params: Params, h: Array, z: Array) -> DistraxDistribution:
        of_shape("z", z, (latent_size,))
        return p_of_x.distribution(params["decoder"], jnp.concatenate([h, z]))

    def update(params: Params, h: Array, z: Array, x: Array) -> Array:
        h, _ = cell.apply(params["cell"], h, jnp.concatenate([z, x]))
        return h

    return SequentialModel(init, start, prior_of, encode, decode, update)

"""The variational recurrent network: a latent per step, all of the past in one vector."""

from __future__ import annotations

from collections.abc import Callable

import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.models.sequential import SequentialModel
from jaxgen.types import Key, Params


def variational_rnn(
    cell: nn.RNNCellBase,
    prior: nn.Module,
    encoder: nn.Module,
    decoder: nn.Module,
    likelihood: Callable[[Array], distrax.Independent],
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
      ValueError: a size is below one; at init, if an output has another shape.
    Example:
      model = variational_rnn(
          nn.GRUCell(64), MLP((64,), (2, 8)), MLP((64,), (2, 8)), MLP((64,), (16,)),
          lambda logits: distrax.Independent(Bernoulli(logits), 1), latent_size=8, x_size=16)
    Source: Chung et al. (2015), equations 5 to 9.
    """
    latent_size = at_least("latent_size", latent_size, 1)
    x_size = at_least("x_size", x_size, 1)

    def init(key: Key) -> Params:
        keys = jax.random.split(key, 4)
        h, z, x = start({}), jnp.zeros(latent_size), jnp.zeros(x_size)
        prior_out, prior_params = prior.init_with_output(keys[0], h)
        encoder_out, encoder_params = encoder.init_with_output(keys[1], jnp.concatenate([h, x]))
        for name, out in (("prior", prior_out), ("encoder", encoder_out)):
            if out.shape != (2, latent_size):
                raise ValueError(
                    f"{name}: got an output of shape {out.shape}, expected (2, {latent_size})"
                )
        return {
            "prior": prior_params,
            "encoder": encoder_params,
            "decoder": decoder.init(keys[2], jnp.concatenate([h, z])),
            "cell": cell.init(keys[3], h, jnp.concatenate([z, x])),
        }

    def start(params: Params) -> Array:
        return cell.initialize_carry(jax.random.key(0), (latent_size + x_size,))

    def gaussian(outputs: Array) -> distrax.Independent:
        mean, log_scale = outputs
        return distrax.Independent(distrax.Normal(mean, jnp.exp(log_scale)), 1)

    def prior_of(params: Params, h: Array) -> distrax.Independent:
        return gaussian(jnp.asarray(prior.apply(params["prior"], h)))

    def encode(params: Params, h: Array, x: Array) -> distrax.Independent:
        return gaussian(jnp.asarray(encoder.apply(params["encoder"], jnp.concatenate([h, x]))))

    def decode(params: Params, h: Array, z: Array) -> distrax.Independent:
        return likelihood(jnp.asarray(decoder.apply(params["decoder"], jnp.concatenate([h, z]))))

    def update(params: Params, h: Array, z: Array, x: Array) -> Array:
        h, _ = cell.apply(params["cell"], h, jnp.concatenate([z, x]))
        return h

    return SequentialModel(init, start, prior_of, encode, decode, update)

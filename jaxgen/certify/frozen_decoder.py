"""A frozen VAE with two latents, whose log p(x) quadrature gives."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from jaxgen.array_checks import arrays
from jaxgen.certify.frozen import frozen_params
from jaxgen.checks import at_least
from jaxgen.models import LIKELIHOODS, LatentVariableModel, gaussian_vae
from jaxgen.nets import MLP
from jaxgen.numerics import highest_precision
from jaxgen.types import Key, Params


class FrozenVAE(NamedTuple):
    """A VAE of images that is known in all respects.

    Attributes:
      model: of binary images of 28x28, with two latents; `log_prob_by_quadrature` gives its log
        p(x).
      params: its own.
    Example:
      >>> vae = frozen_vae()
      >>> vae.model.decode(vae.params, jnp.zeros(2)).event_shape
      (28, 28, 1)
    """

    model: LatentVariableModel
    params: Params


class Simulated(NamedTuple):
    """Draws from a latent-variable model: each z is an exact sample of the posterior of its x.

    Attributes:
      z: the latents.
      x: the images.
    Example:
      >>> vae = frozen_vae()
      >>> draws = simulate(jax.random.key(0), vae.model, vae.params, 2)
      >>> draws.z.shape, draws.x.shape
      ((2, 2), (2, 28, 28, 1))
    """

    z: Float[Array, "n latents"]
    x: Float[Array, "n ..."]


@cache
def frozen_vae() -> FrozenVAE:
    """Returns the frozen VAE of handwritten digits: two latents, so that log p(x) is an integral.

    Beside its log p(x), by `log_prob_by_quadrature`, the gap of any bound is a true gap, in images.

    Example:
      >>> vae = frozen_vae()
      >>> z, x = simulate(jax.random.key(0), vae.model, vae.params, 2)
      >>> log_px = log_prob_by_quadrature(vae.model, vae.params, x, points=100)
    """
    # N(0, I) has no params, and a file has no place for none.
    return FrozenVAE(two_latent_vae((28, 28, 1)), {"prior": {}, **frozen_params("latents")})


def two_latent_vae(x_shape: tuple[int, ...]) -> LatentVariableModel:
    """Returns the model of which the frozen VAE has the params, for images of any shape.

    Example:
      >>> params = two_latent_vae((8, 8, 1)).init(jax.random.key(0))
    """
    bernoulli = LIKELIHOODS["bernoulli"]
    return gaussian_vae(
        MLP((40, 40), (2, 2), nn.tanh),
        MLP((40, 40), (*x_shape, bernoulli.outputs), nn.tanh),
        bernoulli.distribution,
        latent_size=2,
        x_shape=x_shape,
    )


@highest_precision
def simulate(key: Key, model: LatentVariableModel, params: Params, count: int) -> Simulated:
    """Returns z from the prior and x from p(x|z).

    Raises:
      ValueError: count is below one; params is no pytree of arrays.
    Example:
      >>> vae = frozen_vae()
      >>> x = simulate(jax.random.key(0), vae.model, vae.params, 2).x
    """
    arrays("params", params)

    def one(key: Key) -> Simulated:
        key_z, key_x = jax.random.split(key)
        z = model.prior(params).sample(seed=key_z)
        return Simulated(z, model.decode(params, z).sample(seed=key_x))

    return jax.vmap(one)(jax.random.split(key, at_least("count", count, 1)))

"""p(z): a standard normal, or a mixture of Gaussians that is learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import distrax
import jax
import jax.numpy as jnp

from jaxgen.checks import at_least
from jaxgen.distributions import diagonal_normal
from jaxgen.types import Key, Params


class Prior(NamedTuple):
    """A family of p(z), as pure functions.

    Attributes:
      init: `key -> params`, empty where nothing is learned.
      distribution: `params -> p(z)` over one vector.
    """

    init: Callable[[Key], Params]
    distribution: Callable[[Params], distrax.Distribution]


def standard_normal(latent_size: int) -> Prior:
    """Returns N(0, I), with nothing to learn.

    Raises:
      ValueError: latent_size is below one.
    Example:
      vae(standard_normal(50), posterior, decoder, likelihood, latent_size=50, x_shape=x_shape)
    """
    latent_size = at_least("latent_size", latent_size, 1)
    zeros = (latent_size,)
    return Prior(
        init=lambda key: {},
        distribution=lambda params: diagonal_normal(jnp.zeros(zeros), jnp.zeros(zeros)),
    )


def gaussian_mixture(latent_size: int, num_components: int) -> Prior:
    """Returns sum_k w_k N(mean_k, diag(scale_k)²), with weights, means and scales learned.

    Starts with equal weights, unit scales and means drawn from N(0, I). No KL to it has a closed
    form: use `monte_carlo_kl`. Params: `logits` of the weights, `means`, `log_scales`.

    Raises:
      ValueError: a size is below one.
    Example:
      vae(gaussian_mixture(50, 10), posterior, decoder, likelihood, latent_size=50, x_shape=x_shape)
    Source: Dilokthanakul et al. (2016); Tomczak & Welling (2018), section 2.
    """
    shape = at_least("num_components", num_components, 1), at_least("latent_size", latent_size, 1)

    def init(key: Key) -> Params:
        return {
            "logits": jnp.zeros(shape[0]),
            "means": jax.random.normal(key, shape),
            "log_scales": jnp.zeros(shape),
        }

    def distribution(params: Params) -> distrax.Distribution:
        return distrax.MixtureSameFamily(
            distrax.Categorical(params["logits"]),
            diagonal_normal(params["means"], params["log_scales"]),
        )

    return Prior(init, distribution)

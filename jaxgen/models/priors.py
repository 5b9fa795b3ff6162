"""p(z): a standard normal, a uniform, or a mixture of Gaussians that is learned."""

from __future__ import annotations

from typing import Any

import distrax
import jax
import jax.numpy as jnp

from jaxgen.checks import at_least
from jaxgen.distributions import Independent, diagonal_normal
from jaxgen.models.density import Density
from jaxgen.types import Key, Params


def standard_normal(size: int | tuple[int, ...]) -> Density:
    """Returns N(0, I) over one vector, or an array, in any context, with nothing to learn.

    Args:
      size: of the vector, or the array's shape.
    Raises:
      ValueError: size is below one.
    Example:
      >>> prior = standard_normal(8)
      >>> print(prior.distribution({}, ()).log_prob(jnp.zeros(8)))  # -8/2 log(2 pi), in nats
      -7.3515
    """
    sizes = size if isinstance(size, tuple) else (size,)
    shape = tuple(at_least("size", entries, 1) for entries in sizes)

    def init(key: Key, context: Any) -> Params:
        return {}

    def distribution(params: Params, context: Any) -> Independent:
        return Independent(distrax.Normal(jnp.zeros(shape), jnp.ones(shape)), len(shape))

    return Density(init, distribution)


def uniform(size: int, low: float = -1.0, high: float = 1.0) -> Density:
    """Returns U[low, high] over each entry of one vector, in any context, with nothing to learn.

    Args:
      size: of the vector.
      low: the least value of an entry.
      high: the greatest.
    Raises:
      ValueError: size is below one, or low is not below high.
    Example:
      >>> prior = uniform(50)
      >>> print(prior.distribution({}, ()).log_prob(jnp.zeros(50)))  # -50 log 2
      -34.6574
    """
    shape = (at_least("size", size, 1),)
    if not low < high:
        raise ValueError(f"high: got {high}, expected a number above low={low}")

    def init(key: Key, context: Any) -> Params:
        return {}

    def distribution(params: Params, context: Any) -> Independent:
        return Independent(distrax.Uniform(jnp.full(shape, low), jnp.full(shape, high)), 1)

    return Density(init, distribution)


def gaussian_mixture(size: int, num_components: int) -> Density:
    """Returns sum_k w_k N(mean_k, diag(scale_k)²) over one vector, with all of these learned.

    Starts with equal weights, unit scales and means drawn from N(0, I). No KL to it has a closed
    form: use `monte_carlo_kl`. Params: `logits` of the weights, `means`, `log_scales`. They look at
    no context.

    Raises:
      ValueError: a size is below one.
    Example:
      >>> prior = gaussian_mixture(size=2, num_components=10)  # learned, in the place of N(0, I)
      >>> params = prior.init(jax.random.key(0), ())
      >>> prior.distribution(params, ()).event_shape
      (2,)
    Source: Dilokthanakul et al. (2016); Tomczak & Welling (2018), section 2.
    """
    shape = at_least("num_components", num_components, 1), at_least("size", size, 1)

    def init(key: Key, context: Any) -> Params:
        return {
            "logits": jnp.zeros(shape[0]),
            "means": jax.random.normal(key, shape),
            "log_scales": jnp.zeros(shape),
        }

    def distribution(params: Params, context: Any) -> distrax.MixtureSameFamily:
        return distrax.MixtureSameFamily(
            distrax.Categorical(params["logits"]),
            diagonal_normal(params["means"], params["log_scales"]),
        )

    return Density(init, distribution)

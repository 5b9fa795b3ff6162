"""What every model with a latent variable and an amortized posterior consists of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import distrax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.types import Key, Params, Scalar


class LatentVariableModel(NamedTuple):
    """p(x, z) = p(z) p(x|z) and q(z|x), as pure functions over `params`, each for one datapoint.

    Attributes:
      init: `key -> params`.
      prior: `params -> p(z)`.
      encode: `(params, x) -> q(z|x)`, amortized.
      decode: `(params, z) -> p(x|z)`.
    """

    init: Callable[[Key], Params]
    prior: Callable[[Params], distrax.Distribution]
    encode: Callable[[Params, Array], distrax.Distribution]
    decode: Callable[[Params, Array], distrax.Independent]


def joint_and_posterior(
    model: LatentVariableModel, params: Params, x: Float[Array, "..."]
) -> tuple[Callable[[Array], Scalar], distrax.Distribution]:
    """Returns z -> log p(x, z), in nats, and q(z|x): all that a bound needs of one datapoint.

    Example:
      log_joint, q = joint_and_posterior(model, params, x)
      bound = importance_weighted_bound(key, log_joint, q, 50)
    """
    prior = model.prior(params)

    def log_joint(z: Array) -> Scalar:
        return jnp.asarray(model.decode(params, z).log_prob(x) + prior.log_prob(z))

    return log_joint, model.encode(params, x)

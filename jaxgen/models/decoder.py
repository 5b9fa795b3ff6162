"""p(x|z): a net and what its outputs mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import distrax
from jaxtyping import Array

from jaxgen.distributions import Independent
from jaxgen.models.density import Density
from jaxgen.models.networks import AnyNet, network
from jaxgen.types import DistraxDistribution, Key, Params


def decoder(net: AnyNet, likelihood: Callable[[Array], DistraxDistribution]) -> Density:
    """Returns p(x|z) = likelihood(net(z)). Its params are the net's.

    Args:
      net: one z to the likelihood's parameters, which come to it in float32 or wider.
      likelihood: those parameters to a distribution over one datapoint. One made with
        `distrax.Independent` is made strict about the shape of x.
    Raises:
      ValueError: at init, the net's output is not one array, or it keeps collections (batch
        statistics) beside its params.
    Example:
      >>> of_image = decoder(MLP((8,), (4, 4, 1, 1)), LIKELIHOODS["bernoulli"].distribution)
      >>> z = jnp.zeros(3)
      >>> params = of_image.init(jax.random.key(0), z)
      >>> of_image.distribution(params, z).event_shape  # of p(x|z)
      (4, 4, 1)
    """
    run = network("decoder", net)

    def distribution(params: Params, z: Any, *, key: Key | None = None) -> DistraxDistribution:
        p = likelihood(run.apply(params, z, key))
        if isinstance(p, distrax.Independent) and not isinstance(p, Independent):
            return Independent(p.distribution, p.reinterpreted_batch_ndims)
        return p

    return Density(run.init, distribution)

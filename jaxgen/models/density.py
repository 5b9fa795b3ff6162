"""One contract for everything with a likelihood: a family of distributions given a context."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxgen.array_checks import arrays
from jaxgen.types import DistraxDistribution, Key, Params


class Density(NamedTuple):
    """A family p(. | context) over one datapoint or latent, as pure functions over `params`.

    A prior's context is (), a posterior's is x, a decoder's is z: each may stand wherever its
    context and what it is over fit.

    Attributes:
      init: `(key, context) -> params`, for a context of the right shape.
      distribution: `(params, context) -> p(. | context)`. If it takes the keyword `key`, a key
        means training: its nets draw their dropout from it.
    Example:
      >>> prior = standard_normal(8)
      >>> params = prior.init(jax.random.key(0), ())  # in the context (), none
      >>> p = prior.distribution(params, ())
      >>> z = p.sample(seed=jax.random.key(1))
      >>> print(p.log_prob(jnp.zeros(8)))  # -8/2 log(2 pi), in nats
      -7.3515
    """

    init: Callable[[Key, Any], Params]
    distribution: Callable[..., DistraxDistribution]


def conditioned(
    density: Density, params: Params, context: Any, key: Key | None = None
) -> DistraxDistribution:
    """Returns p(. | context); a key reaches the density if it takes one.

    Raises:
      ValueError: params or the context is no pytree of arrays.
    Example:
      >>> posterior = gaussian_posterior(MLP((), (2, 3)), 3)
      >>> x = jnp.ones(4)
      >>> q = conditioned(posterior, posterior.init(jax.random.key(0), x), x)  # q(z|x)
      >>> q.event_shape
      (3,)
    """
    arrays("params", params)
    arrays("context", context)
    if key is None or "key" not in inspect.signature(density.distribution).parameters:
        return density.distribution(params, context)
    return density.distribution(params, context, key=key)

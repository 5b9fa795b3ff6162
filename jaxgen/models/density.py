"""One contract for everything with a likelihood: a family of distributions given a context."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

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
      >>> prior.distribution(prior.init(key, ()), ()).sample(seed=key)
    """

    init: Callable[[Key, Any], Params]
    distribution: Callable[..., DistraxDistribution]


def conditioned(
    density: Density, params: Params, context: Any, key: Key | None = None
) -> DistraxDistribution:
    """Returns p(. | context); a key reaches the density if it takes one.

    Example:
      >>> q = conditioned(posterior, params["encoder"], x, key)
    """
    if key is None or "key" not in inspect.signature(density.distribution).parameters:
        return density.distribution(params, context)
    return density.distribution(params, context, key=key)

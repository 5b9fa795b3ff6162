"""A density over vectors as one over images."""

from __future__ import annotations

import math
from typing import Any

from jaxgen.distributions import FunctionDistribution
from jaxgen.models.density import Density
from jaxgen.types import Params


def reshaped(density: Density, x_shape: tuple[int, ...]) -> Density:
    """Returns the same density over events of another shape. Its params are the same.

    Args:
      density: over one event with as many entries, in any context.
      x_shape: the shape to be.
    Raises:
      ValueError: in use, the events have not as many entries.
    Example:
      >>> p = reshaped(memorizer(jnp.ones((1, 4))), (2, 2, 1))
      >>> params = p.init(jax.random.key(0), ())
      >>> p.distribution(params, ()).log_prob(jnp.ones((2, 2, 1)))
      Array(0., dtype=float32)
    """
    x_shape = tuple(x_shape)

    def distribution(params: Params, context: Any) -> FunctionDistribution:
        p = density.distribution(params, context)
        own = tuple(p.event_shape)
        if math.prod(own) != math.prod(x_shape):
            raise ValueError(f"x_shape: got {x_shape}, expected as many entries as {own} has")
        return FunctionDistribution(
            p,
            x_shape,
            lambda key, p: p.sample(seed=key).reshape(x_shape),
            lambda p, x: p.log_prob(x.reshape(own)),
        )

    return Density(density.init, distribution)

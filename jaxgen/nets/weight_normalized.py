"""A network whose units all have weights of one norm."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import positive


class WeightNormalized(nn.Module):
    """The network with `norm` v / |v| for the weights v into every unit of its every layer.

    Biases are free. The norms of the layers bound how fast what comes out can change, so a small
    one makes for a smooth encoder. (`nn.WeightNorm` has the norm one, or learns it.)

    Attributes:
      net: of layers with a `kernel` whose last axis are units, such as `MLP` and `ConvEncoder`.
      norm: Euclidean, of each unit's weights; positive.
    Raises:
      ValueError: norm is not positive.
    Example:
      >>> net = WeightNormalized(MLP((8,), (2, 3), nn.tanh), norm=0.5)
      >>> params = net.init(jax.random.key(0), jnp.ones(4))
      >>> net.apply(params, jnp.ones(4)).shape
      (2, 3)
    Source: Shu et al. (2018), "Amortized inference regularization", section 4; Salimans & Kingma
      (2016), "Weight normalization", section 2.
    """

    net: nn.Module
    norm: float = 1.0

    @nn.compact
    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """Maps one array to one array."""
        positive("norm", self.norm)

        def normalized(path: Any, v: Array) -> Array:
            if path[-1].key != "kernel":
                return v
            return self.norm * v / jnp.linalg.norm(v.reshape(-1, v.shape[-1]), axis=0)

        def forward(net: nn.Module) -> Array:
            return net(x)  # type: ignore[operator]

        mapped = nn.map_variables(
            forward,
            "params",
            lambda variables: jax.tree_util.tree_map_with_path(normalized, variables),
            init=self.is_initializing(),
        )
        return mapped(self.net)

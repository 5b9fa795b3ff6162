"""The multilayer perceptron."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import sizes


class MLP(nn.Module):
    """Dense layers from one array of any shape, or several as one vector, to one of `output_shape`.

    Attributes:
      hidden: widths of the hidden layers; empty for an affine map.
      output_shape: shape of what comes out.
      activation: after every hidden layer.
      kernel_init: of every layer; Glorot-uniform as in Burda et al. (2016).
      output_kernel_init: of the last layer, if not kernel_init: zeros start the net at its bias.
      output_bias_init: `(key, output_shape, dtype) -> array`, so that a decoder can start at the
        mean of the data.
    Example:
      >>> net = MLP((200,), (8, 8, 1), nn.tanh)  # for one latent; jax.vmap over a batch
      >>> params = net.init(jax.random.key(0), jnp.zeros(3))
      >>> net.apply(params, jnp.zeros(3)).shape
      (8, 8, 1)
    """

    hidden: tuple[int, ...]
    output_shape: tuple[int, ...]
    activation: Callable[[Array], Array] = nn.relu
    kernel_init: nn.initializers.Initializer = nn.initializers.glorot_uniform()
    output_bias_init: nn.initializers.Initializer = nn.initializers.zeros
    output_kernel_init: nn.initializers.Initializer | None = None

    @nn.compact
    def __call__(self, x: Any) -> Float[Array, "..."]:
        """Maps one array, or a pytree of them such as (x, context), to one array."""
        x = jnp.concatenate([jnp.reshape(part, -1) for part in jax.tree.leaves(x)])
        for width in sizes("hidden", self.hidden):
            x = self.activation(nn.Dense(width, kernel_init=self.kernel_init)(x))
        kernel_init = self.output_kernel_init or self.kernel_init
        x = nn.Dense(
            math.prod(sizes("output_shape", self.output_shape)),
            use_bias=False,
            kernel_init=kernel_init,
        )(x)
        bias = self.param("output_bias", self.output_bias_init, self.output_shape)
        return x.reshape(self.output_shape) + bias

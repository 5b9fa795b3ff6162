"""The permutation-invariant players of a BiGAN: one form of MLP for generator, encoder, critic."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
from jaxtyping import Array

from jaxgen.checks import sizes
from jaxgen.nets.concatenated import vectors


def _itself(x: Array) -> Array:
    return x


class JointMLP(nn.Module):
    """Dense layers from all that a player sees of a sample, as one vector, to one array.

    Normalized over the batch are all hidden layers but the first, whose inputs are of a known
    scale.

    Attributes:
      hidden: widths of the hidden layers.
      output_shape: for each sample; () for a critic.
      activation: after every hidden layer.
      output_activation: after the last layer.
      kernel_init: of every layer.
    Example:
      >>> encoder = JointMLP((16,), (3,), output_activation=nn.tanh)
      >>> critic = JointMLP((16,))  # of pairs (x, z)
      >>> x = jnp.zeros((2, 8, 8, 1))
      >>> z, of_encoder = encoder.init_with_output(jax.random.key(0), x, train=True)
      >>> critic.init_with_output(jax.random.key(1), (x, z), train=True)[0].shape
      (2,)
    Source: Donahue et al. (2017), "Adversarial feature learning", section 4.2, for whom the latent
      joins the sample in the critic's second layer.
    """

    hidden: tuple[int, ...]
    output_shape: tuple[int, ...] = ()
    activation: Callable[[Array], Array] = partial(nn.leaky_relu, negative_slope=0.2)
    output_activation: Callable[[Array], Array] = _itself
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)

    @nn.compact
    def __call__(self, inputs: Any, *, train: bool) -> Array:
        """Maps a pytree of arrays; `train` says whose statistics: the batch's or the running."""
        x = vectors(inputs)
        for i, width in enumerate(sizes("hidden", self.hidden)):
            # Normalization would take a bias away again.
            x = nn.Dense(width, use_bias=i == 0, kernel_init=self.kernel_init)(x)
            if i > 0:
                x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
            x = self.activation(x)
        x = nn.Dense(
            math.prod(sizes("output_shape", self.output_shape)), kernel_init=self.kernel_init
        )(x)
        return self.output_activation(x.reshape(-1, *self.output_shape))

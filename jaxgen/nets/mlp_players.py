"""Multilayer perceptrons as the players of a game; they map batches, over which statistics run."""

from __future__ import annotations

import math
from collections.abc import Callable

import flax.linen as nn
from jaxtyping import Array, Float, Num

from jaxgen.array_checks import floats
from jaxgen.checks import sizes
from jaxgen.nets.packing import append_minibatch_stddev


class MLPGenerator(nn.Module):
    """Dense layers from latents to samples.

    Attributes:
      hidden: widths of the hidden layers.
      output_shape: shape of one sample.
      activation: after every hidden layer.
      kernel_init: of every layer.
      batch_norm: normalize every hidden layer over the batch, before its activation.
    Example:
      >>> net, z = MLPGenerator((8,), (2,)), jnp.zeros((5, 3))
      >>> variables = net.init(jax.random.key(0), z, train=True)
      >>> net.apply(variables, z, train=False).shape
      (5, 2)
    """

    hidden: tuple[int, ...]
    output_shape: tuple[int, ...]
    activation: Callable[[Array], Array] = nn.relu
    kernel_init: nn.initializers.Initializer = nn.initializers.glorot_uniform()
    batch_norm: bool = False

    @nn.compact
    def __call__(self, z: Num[Array, "batch latent"], *, train: bool) -> Float[Array, "batch *x"]:
        """Maps latents to samples; `train` says whose statistics: the batch's or the running."""
        floats("z", z)
        for width in sizes("hidden", self.hidden):
            # Normalization would take a bias away again.
            z = nn.Dense(width, use_bias=not self.batch_norm, kernel_init=self.kernel_init)(z)
            if self.batch_norm:
                z = nn.BatchNorm(use_running_average=not train, momentum=0.9)(z)
            z = self.activation(z)
        z = nn.Dense(
            math.prod(sizes("output_shape", self.output_shape)), kernel_init=self.kernel_init
        )(z)
        return z.reshape(-1, *self.output_shape)


class MLPTranslator(nn.Module):
    """Dense layers from an image to another of the same shape, in [0, 1].

    To begin with no place of the one belongs to a place of the other.

    Attributes:
      hidden: widths of the hidden layers.
      activation: after every hidden layer.
      kernel_init: of every layer.
    Raises:
      ValueError: x is not of floating point.
    Example:
      >>> net, x = MLPTranslator((8,)), jnp.zeros((5, 8, 8, 1))
      >>> variables = net.init(jax.random.key(0), x)
      >>> net.apply(variables, x).shape
      (5, 8, 8, 1)
    """

    hidden: tuple[int, ...]
    activation: Callable[[Array], Array] = nn.relu
    kernel_init: nn.initializers.Initializer = nn.initializers.glorot_uniform()

    @nn.compact
    def __call__(self, x: Num[Array, "batch *x"]) -> Float[Array, "batch *x"]:
        """Maps images of one domain to images of the other."""
        floats("x", x)
        h = x.reshape(len(x), -1)
        dims = h.shape[1]
        for width in sizes("hidden", self.hidden):
            h = self.activation(nn.Dense(width, kernel_init=self.kernel_init)(h))
        return nn.sigmoid(nn.Dense(dims, kernel_init=self.kernel_init)(h)).reshape(x.shape)


def _themselves(x: Array) -> Array:
    return x


class MLPCritic(nn.Module):
    """Dense layers from samples to one raw output each.

    Attributes:
      hidden: widths of the hidden layers.
      activation: after every hidden layer.
      kernel_init: of every layer.
      features: what the layers see of the samples, [batch, dims] to [batch, features].
      input_scale: what that is multiplied with first.
      spectral_norm: divide every kernel by its largest singular value, followed by one power
        iteration per pass in training (Miyato et al. 2018).
      minibatch_stddev: let the last hidden layer see how much the batch varies.
    Raises:
      ValueError: x is not of floating point.
    Example:
      >>> net, x = MLPCritic((8,), spectral_norm=True), jnp.zeros((5, 2))
      >>> variables = net.init(jax.random.key(0), x, train=True)
      >>> net.apply(variables, x, train=False).shape  # one raw output for each sample
      (5,)
    """

    hidden: tuple[int, ...]
    activation: Callable[[Array], Array] = nn.relu
    kernel_init: nn.initializers.Initializer = nn.initializers.glorot_uniform()
    features: Callable[[Array], Array] = _themselves
    input_scale: float = 1.0
    spectral_norm: bool = False
    minibatch_stddev: bool = False

    @nn.compact
    def __call__(self, x: Num[Array, "batch ..."], *, train: bool) -> Float[Array, "batch"]:
        """Maps samples to raw outputs, high for what looks real."""
        floats("x", x)
        x = self.input_scale * self.features(x.reshape(len(x), -1))
        for i, width in enumerate(sizes("hidden", self.hidden)):
            if self.minibatch_stddev and i == len(self.hidden) - 1:
                x = append_minibatch_stddev(x)
            x = self.activation(self._dense(width, x, train))
        return self._dense(1, x, train)[:, 0]

    def _dense(self, width: int, x: Array, train: bool) -> Array:
        layer = nn.Dense(width, kernel_init=self.kernel_init)
        if self.spectral_norm:
            return nn.SpectralNorm(layer)(x, update_stats=train)
        return layer(x)

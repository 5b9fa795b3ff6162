"""The deep convolutional players: images from latents by doublings, and back by halvings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
from jaxtyping import Array, Float, Num

from jaxgen.array_checks import floats
from jaxgen.checks import at_least
from jaxgen.nets.packing import append_minibatch_stddev
from jaxgen.nets.strided import StridedConv, StridedConvTranspose
from jaxgen.types import Key

KERNEL = nn.initializers.normal(0.02)


def scale_init(key: Key, shape: Sequence[int], dtype: Any = float) -> Array:
    """Returns draws of N(1, .02^2), where DCGAN begins the scales of its normalizations."""
    return 1 + 0.02 * jax.random.normal(key, shape, dtype)


def dcgan_channels(image_shape: Sequence[int], width: int) -> tuple[int, ...]:
    """Returns channels for images of a size, the largest map first: `width`, then twice as many...

    Maps are halved until a side is odd or the shorter one at most 4, but at least twice where it
    can be.

    Args:
      image_shape: (height, width, channels) of an image.
      width: channels of the largest map.
    Example:
      >>> dcgan_channels((28, 28, 1), 64), dcgan_channels((32, 32, 3), 64)
      ((64, 128), (64, 128, 256))
    """
    channels, sides = [at_least("width", width, 1)], [side // 2 for side in image_shape[:2]]
    while not any(side % 2 for side in sides) and (min(sides) > 4 or len(channels) < 2):
        channels.append(2 * channels[-1])
        sides = [side // 2 for side in sides]
    return tuple(channels)


class DCGANGenerator(nn.Module):
    """A dense layer to a small feature map, then a 4x4 transposed convolution per doubling.

    The images are in [0, 1], by a sigmoid; DCGAN's tanh to [-1, 1] is the same map of an output
    twice as large.

    Attributes:
      output_shape: (height, width, channels) of an image.
      channels: of the feature maps, the smallest map first; there are as many doublings.
      batch_norm: normalize every feature map over the batch, before its ReLU.
    Raises:
      ValueError: height or width cannot be halved that often.
    Example:
      >>> net, z = DCGANGenerator((28, 28, 1)), jnp.zeros((5, 64))
      >>> variables = jax.eval_shape(lambda key: net.init(key, z, train=True), jax.random.key(0))
      >>> jax.eval_shape(lambda v: net.apply(v, z, train=False), variables).shape
      (5, 28, 28, 1)
    Source: Radford et al. (2016), "Unsupervised representation learning with deep convolutional
      generative adversarial networks", section 3.
    """

    output_shape: tuple[int, int, int]
    channels: tuple[int, ...] = (128, 64)
    batch_norm: bool = True

    @nn.compact
    def __call__(
        self, z: Num[Array, "batch latent"], *, train: bool
    ) -> Float[Array, "batch height width channels"]:
        """Maps latents to images; `train` says whose statistics: the batch's or the running."""
        floats("z", z)
        height, width, image_channels = self.output_shape
        times = 2 ** len(self.channels)
        if height % times or width % times:
            raise ValueError(
                f"output_shape: got {height}x{width}, expected height and width in multiples of "
                f"{times}, for {len(self.channels)} doublings"
            )
        small = (height // times, width // times, self.channels[0])
        # Normalization would take a bias away again.
        biased = not self.batch_norm
        x = nn.Dense(small[0] * small[1] * small[2], use_bias=biased, kernel_init=KERNEL)(z)
        x = self._activated(x.reshape(-1, *small), train)
        for channels in self.channels[1:]:
            x = StridedConvTranspose(channels, use_bias=biased, kernel_init=KERNEL)(x)
            x = self._activated(x, train)
        return nn.sigmoid(StridedConvTranspose(image_channels, kernel_init=KERNEL)(x))

    def _activated(self, x: Array, train: bool) -> Array:
        if self.batch_norm:
            norm = nn.BatchNorm(use_running_average=not train, momentum=0.9, scale_init=scale_init)
            x = norm(x)
        return nn.relu(x)


class DCGANCritic(nn.Module):
    """A 4x4 convolution of stride 2 per halving, leaky ReLUs of slope .2, and one raw output.

    Images in [0, 1] are taken to [-1, 1] first.

    Attributes:
      channels: of the feature maps, the largest map first; there are as many halvings.
      batch_norm: normalize every feature map but the first over the batch.
      spectral_norm: divide every kernel by its largest singular value, followed by one power
        iteration per pass in training (Miyato et al. 2018).
      minibatch_stddev: let the last layer see how much the batch varies.
    Raises:
      ValueError: x is not of floating point.
    Example:
      >>> net, x = DCGANCritic((64, 128)), jnp.zeros((5, 28, 28, 1))
      >>> variables = jax.eval_shape(lambda key: net.init(key, x, train=True), jax.random.key(0))
      >>> jax.eval_shape(lambda v: net.apply(v, x, train=False), variables).shape
      (5,)
    Source: Radford et al. (2016), "Unsupervised representation learning with deep convolutional
      generative adversarial networks", section 3.
    """

    channels: tuple[int, ...] = (64, 128)
    batch_norm: bool = True
    spectral_norm: bool = False
    minibatch_stddev: bool = False

    @nn.compact
    def __call__(
        self, x: Num[Array, "batch height width channels"], *, train: bool
    ) -> Float[Array, "batch"]:
        """Maps images to raw outputs, high for what looks real."""
        floats("x", x)
        x = 2 * x - 1
        for i, channels in enumerate(self.channels):
            normalized = self.batch_norm and i > 0
            layer = StridedConv(channels, use_bias=not normalized, kernel_init=KERNEL)
            x = self._layer(layer, x, train)
            if normalized:
                norm = nn.BatchNorm(
                    use_running_average=not train, momentum=0.9, scale_init=scale_init
                )
                x = norm(x)
            x = nn.leaky_relu(x, 0.2)
        if self.minibatch_stddev:
            x = append_minibatch_stddev(x)
        return self._layer(nn.Dense(1, kernel_init=KERNEL), x.reshape(len(x), -1), train)[:, 0]

    def _layer(self, layer: Any, x: Array, train: bool) -> Array:
        if self.spectral_norm:
            return nn.SpectralNorm(layer)(x, update_stats=train)
        return layer(x)

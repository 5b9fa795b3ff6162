"""The residual generator of translations: from images to images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxgen.array_checks import floats
from jaxgen.nets.convolution import Convolution, DoublingConvolution
from jaxgen.nets.dcgan import KERNEL
from jaxgen.nets.instance_norm import instance_norm


def unit_tanh(x: Array) -> Array:
    """Returns (1 + tanh x) / 2: the authors' images in [-1, 1], in [0, 1]."""
    return (1 + jnp.tanh(x)) / 2


class ResNetGenerator(nn.Module):
    """A convolution, halvings, residual blocks, doublings and a convolution, all on the image.

    Every layer but the last is followed by an instance norm without scale and bias and a ReLU; a
    block, c3 - norm - ReLU - c3 - norm, by nothing. Every halving doubles the channels. The first
    and last convolutions and the blocks pad by reflection. Images in [0, 1] are taken to [-1, 1]
    first. The default is the authors' net for images of 256x256: c7s1-64, d128, d256, nine R256,
    u128, u64, c7s1-channels; they take six blocks for 128x128.

    For images of 28x28 or 8x8 leave the image as large as it is: `ResNetGenerator(1, width=16,
    halvings=0, blocks=2, edge=3)`.

    Attributes:
      channels: of the images that come out.
      width: channels of the first feature map.
      halvings: convolutions of stride 2, and doublings after the blocks.
      blocks: residual blocks.
      edge: size of the first and the last kernel; odd.
      output: what the last layer's numbers become; by default pixels in [0, 1].
    Raises:
      ValueError: x is not of floating point; height or width cannot be halved that often; edge is
        even.
    Example:
      >>> net, x = ResNetGenerator(3, blocks=6), jnp.zeros((5, 64, 64, 3))
      >>> y, variables = jax.eval_shape(net.init_with_output, jax.random.key(0), x)
      >>> y.shape  # of `net.apply(net.init(key, x), x)`
      (5, 64, 64, 3)
    Source: Zhu et al. (2017), "Unpaired image-to-image translation using cycle-consistent
      adversarial networks", appendix 7.2; Johnson et al. (2016), "Perceptual losses for real-time
      style transfer and super-resolution".
    """

    channels: int
    width: int = 64
    halvings: int = 2
    blocks: int = 9
    edge: int = 7
    output: Callable[[Array], Array] = unit_tanh
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Num[Array, "n height width in"]) -> Float[Array, "n height width out"]:
        """Maps images of one domain to images of the other, of the same size."""
        floats("x", x)
        times, (height, width) = 2**self.halvings, x.shape[1:3]
        if height % times or width % times or height * width < 2 * times**2:
            raise ValueError(
                f"halvings: got {self.halvings} for images of {height}x{width}, expected height "
                f"and width in multiples of {times}, and two places or more after it"
            )
        if self.edge % 2 == 0:
            raise ValueError(f"edge: got {self.edge}, expected an odd number")
        reach = self.edge // 2
        x = self._layer(self.width, self.edge, _reflected(2 * x - 1, reach))
        for i in range(self.halvings):
            x = self._layer(2 ** (i + 1) * self.width, 3, _zeros_around(x, 1), stride=2)
        for _ in range(self.blocks):
            h = self._layer(x.shape[-1], 3, _reflected(x, 1))
            x = x + instance_norm(self._convolution(x.shape[-1], 3)(_reflected(h, 1)))
        for i in reversed(range(self.halvings)):
            doubling = DoublingConvolution(2**i * self.width, KERNEL, self.dtype)
            x = nn.relu(instance_norm(doubling(x)))
        last = self._convolution(self.channels, self.edge, use_bias=True)
        return self.output(last(_reflected(x, reach)))

    def _convolution(self, features: int, size: int, **options: Any) -> Convolution:
        # Normalization would take a bias away again.
        options = {"use_bias": False, "kernel_init": KERNEL, "dtype": self.dtype, **options}
        return Convolution(features, size, **options)

    def _layer(self, features: int, size: int, x: Array, stride: int = 1) -> Array:
        return nn.relu(instance_norm(self._convolution(features, size, stride=stride)(x)))


def _reflected(x: Array, reach: int) -> Array:
    return jnp.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect")


def _zeros_around(x: Array, reach: int) -> Array:
    return jnp.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))

"""A small convolutional pair: two halvings of the image, two doublings back."""

from __future__ import annotations

import math
from collections.abc import Callable

import flax.linen as nn
from jaxtyping import Array, Float

from jaxgen.checks import sizes
from jaxgen.nets.strided import StridedConv, StridedConvTranspose


class ConvEncoder(nn.Module):
    """Two 4x4 convolutions of stride 2, a dense layer, and an affine head.

    Attributes:
      output_shape: shape of what comes out.
      channels: of the two convolutions.
      hidden: width of the dense layer.
      activation: after every layer but the last.
    Example:
      >>> net, x = ConvEncoder((2, 50)), jnp.zeros((28, 28, 1))  # of one image
      >>> numbers, params = jax.eval_shape(net.init_with_output, jax.random.key(0), x)
      >>> numbers.shape  # of `net.apply(net.init(key, x), x)`: mean and log scale of a latent
      (2, 50)
    """

    output_shape: tuple[int, ...]
    channels: tuple[int, int] = (32, 64)
    hidden: int = 256
    activation: Callable[[Array], Array] = nn.relu

    @nn.compact
    def __call__(self, x: Float[Array, "height width channels"]) -> Float[Array, "..."]:
        """Maps one image to one array."""
        for i, channels in enumerate(self.channels):
            x = self.activation(StridedConv(channels, name=f"Conv_{i}")(x))
        x = self.activation(nn.Dense(self.hidden)(x.reshape(-1)))
        return nn.Dense(math.prod(sizes("output_shape", self.output_shape)))(x).reshape(
            self.output_shape
        )


class ConvDecoder(nn.Module):
    """A dense layer to a quarter of the image's size, then two 4x4 transposed convolutions.

    Attributes:
      output_shape: (height, width, channels, outputs per channel); height and width are multiples
        of four.
      channels: of the first feature map and of the one between the two transposed convolutions.
      hidden: width of the dense layer.
      activation: after every layer but the last.
      output_bias_init: `(key, output_shape, dtype) -> array`: one bias per pixel.
    Raises:
      ValueError: height or width is no multiple of four.
    Example:
      >>> net, z = ConvDecoder((28, 28, 1, 1)), jnp.zeros(50)  # of one latent
      >>> logits, params = jax.eval_shape(net.init_with_output, jax.random.key(0), z)
      >>> logits.shape  # of `net.apply(net.init(key, z), z)`
      (28, 28, 1, 1)
    """

    output_shape: tuple[int, ...]
    channels: tuple[int, int] = (64, 32)
    hidden: int = 256
    activation: Callable[[Array], Array] = nn.relu
    output_bias_init: nn.initializers.Initializer = nn.initializers.zeros

    @nn.compact
    def __call__(self, z: Float[Array, "latent"]) -> Float[Array, "height width channels outputs"]:
        """Maps one latent to the parameters of every pixel."""
        shape = sizes("output_shape", self.output_shape)
        if len(shape) != 4:
            raise ValueError(
                f"output_shape: got {shape}, expected (height, width, channels, outputs)"
            )
        height, width, image_channels, outputs = shape
        if height % 4 or width % 4:
            raise ValueError(
                f"output_shape: got {height}x{width}, expected height and width in multiples of 4"
            )
        first, second = self.channels
        x = self.activation(nn.Dense(self.hidden)(z))
        x = self.activation(nn.Dense(height // 4 * (width // 4) * first)(x))
        x = x.reshape(height // 4, width // 4, first)
        x = self.activation(StridedConvTranspose(second, name="ConvTranspose_0")(x))
        x = StridedConvTranspose(image_channels * outputs, use_bias=False, name="ConvTranspose_1")(
            x
        )
        bias = self.param("output_bias", self.output_bias_init, self.output_shape)
        return x.reshape(self.output_shape) + bias

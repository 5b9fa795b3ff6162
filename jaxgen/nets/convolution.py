"""Convolutions of any size and stride, and their doubling; XLA's own, but fast on a CPU, too.

Inside a loop, such as an epoch's scan, XLA's gradients of convolutions on a CPU take ten to sixty
times as long as outside of one. There the same numbers come from one matrix product: of all patches
with the kernel; or, for few features, of every pixel with the kernel, shifted and added up after.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax import lax
from jaxtyping import Array, Float

from jaxgen.nets.strided import DIMENSIONS


class Convolution(nn.Module):
    """`nn.Conv(features, (size, size), (stride, stride), padding="VALID")`, in params and numbers.

    Attributes:
      features: channels of what comes out.
      size: of the kernel's side.
      stride: from place to place.
      use_bias: whether to add one number per channel, zero at first.
      kernel_init: of the kernel, [size, size, channels, features].
      dtype: to compute in; by default what input and params have in common. Params are float32.
    Raises:
      ValueError: the images are smaller than the kernel.
    Example:
      >>> net, x = Convolution(4, size=7), jnp.zeros((2, 28, 28, 1))
      >>> params = net.init(jax.random.key(0), x)
      >>> net.apply(params, x).shape
      (2, 22, 22, 4)
    """

    features: int
    size: int = 3
    stride: int = 1
    use_bias: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "n height width channels"]) -> Float[Array, "n h w out"]:
        """Maps images to feature maps, smaller by what the kernel overlaps."""
        if min(x.shape[1:3]) < self.size:
            raise ValueError(
                f"x: got images of {x.shape[1]}x{x.shape[2]}, expected {self.size}x{self.size} or "
                "larger, for the kernel"
            )
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        bias = None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        y = _convolved(x, kernel, self.stride)
        return y if bias is None else y + bias


class DoublingConvolution(nn.Module):
    """The transpose of a 3x3 convolution of stride 2 that pads by one zero; doubles an image.

    PyTorch's `ConvTranspose2d(channels, features, 3, 2, 1, output_padding=1, bias=False)`, but for
    the kernel's axes, which are turned around.

    Attributes:
      features: channels of what comes out.
      kernel_init: of the kernel, [3, 3, channels, features].
      dtype: as of `Convolution`.
    Example:
      >>> net, x = DoublingConvolution(4), jnp.zeros((2, 7, 7, 3))
      >>> params = net.init(jax.random.key(0), x)
      >>> net.apply(params, x).shape
      (2, 14, 14, 4)
    """

    features: int
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "n height width channels"]) -> Float[Array, "n h w out"]:
        """Maps images to feature maps of twice the size."""
        kernel = self.param("kernel", self.kernel_init, (3, 3, x.shape[-1], self.features))
        x, kernel = promote_dtype(x, kernel, dtype=self.dtype)

        def convolution(x: Array, kernel: Array) -> Array:
            return lax.conv_general_dilated(
                x, kernel, (1, 1), ((1, 2), (1, 2)), (2, 2), dimension_numbers=DIMENSIONS
            )

        return jnp.asarray(lax.platform_dependent(x, kernel, cpu=_doubled, default=convolution))


def _convolved(x: Array, kernel: Array, stride: int) -> Array:
    def convolution(x: Array, kernel: Array) -> Array:
        strides = (stride, stride)
        return lax.conv_general_dilated(x, kernel, strides, "VALID", dimension_numbers=DIMENSIONS)

    def product(x: Array, kernel: Array) -> Array:
        *_, channels, features = kernel.shape
        if stride == 1 and 4 * features <= channels:  # less to move after than before
            return _shifted_after(x, kernel)
        return _of_patches(x, kernel, stride)

    return jnp.asarray(lax.platform_dependent(x, kernel, cpu=product, default=convolution))


def _of_patches(x: Array, kernel: Array, stride: int) -> Array:
    size, _, channels, features = kernel.shape
    n, h, w = len(x), *((side - size) // stride + 1 for side in x.shape[1:3])
    down, right = stride * (h - 1) + 1, stride * (w - 1) + 1
    # The columns of all rows first, then the rows: twice `size` copies and not its square.
    columns = [x[:, :, b : b + right : stride] for b in range(size)]
    x = jnp.concatenate(columns, axis=-1)
    rows = [x[:, a : a + down : stride] for a in range(size)]
    patches = jnp.concatenate(rows, axis=-1)
    taps = size * size * channels
    y = patches.reshape(n * h * w, taps) @ kernel.reshape(taps, features)
    return y.reshape(n, h, w, features)


def _shifted_after(x: Array, kernel: Array) -> Array:
    size, _, channels, features = kernel.shape
    h, w = (side - size + 1 for side in x.shape[1:3])
    y = x.reshape(-1, channels) @ kernel.transpose(2, 0, 1, 3).reshape(channels, -1)
    # The rows of all columns first, then the columns: twice `size` sums and not its square.
    rows = jnp.split(y.reshape(*x.shape[:3], size * size * features), size, axis=-1)
    y = sum((row[:, a : a + h] for a, row in enumerate(rows[1:], 1)), start=rows[0][:, :h])
    columns = jnp.split(y, size, axis=-1)
    return sum(
        (column[:, :, b : b + w] for b, column in enumerate(columns[1:], 1)),
        start=columns[0][:, :, :w],
    )


def _doubled(x: Array, kernel: Array) -> Array:
    n, height, width, channels = x.shape
    features = kernel.shape[-1]
    y = x.reshape(-1, channels) @ kernel.transpose(2, 0, 1, 3).reshape(channels, -1)
    y = y.reshape(n, height, width, 9 * features)
    # An even row is the middle tap's alone, an odd one that of the row itself and of the next.
    first, middle, last = jnp.split(y, 3, axis=-1)
    after = jnp.pad(last[:, 1:], ((0, 0), (0, 1), (0, 0), (0, 0)))
    y = jnp.stack([middle, first + after], axis=2).reshape(n, 2 * height, width, 3 * features)
    first, middle, last = jnp.split(y, 3, axis=-1)
    after = jnp.pad(last[:, :, 1:], ((0, 0), (0, 0), (0, 1), (0, 0)))
    y = jnp.stack([middle, first + after], axis=3)
    return y.reshape(n, 2 * height, 2 * width, features)

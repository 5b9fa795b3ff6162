"""Convolutions of any size and stride, without padding of their own."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
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
    Example:
      net = Convolution(64, size=7)
      h = net.apply(net.init(key, x), x)  # [n, 22, 22, 64] from [n, 28, 28, 1]
    """

    features: int
    size: int = 3
    stride: int = 1
    use_bias: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: Any = None

    @nn.compact
    def __call__(
        self, x: Float[Array, "n height width channels"]
    ) -> Float[Array, "n h w features"]:
        """Maps images to feature maps, smaller by what the kernel overlaps."""
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        bias = None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        strides = (self.stride, self.stride)
        y = lax.conv_general_dilated(x, kernel, strides, "VALID", dimension_numbers=DIMENSIONS)
        return y if bias is None else y + bias

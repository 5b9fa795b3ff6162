"""A critic of the patches of an image: one number for each, none for the whole."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxgen.array_checks import floats
from jaxgen.nets.convolution import Convolution
from jaxgen.nets.dcgan import KERNEL
from jaxgen.nets.instance_norm import instance_norm


class PatchCritic(nn.Module):
    """4x4 convolutions, leaky ReLUs of slope .2, and one raw output for each patch.

    Layer i has `width` 2^i channels, at most eight times `width`, and is followed by an instance
    norm, but the first and the last. A convolution of stride 1 to one channel ends it. All pad by
    one zero. Images in [0, 1] are taken to [-1, 1] first.

    The default is the authors' critic of patches of 70x70: C64 - C128 - C256 - C512. `PatchCritic(
    32, strides=(2, 1))` judges patches of 16x16, and suits images of 28x28 or 8x8.

    Attributes:
      width: channels of the first feature map.
      strides: of every layer before the last; there are as many.
    Raises:
      ValueError: x is not of floating point; there is no layer, or the image is too small for them.
    Example:
      >>> net, x = PatchCritic(), jnp.zeros((5, 64, 64, 3))
      >>> logits, variables = jax.eval_shape(net.init_with_output, jax.random.key(0), x)
      >>> logits.shape  # of `net.apply(net.init(key, x), x)`: one for each patch
      (5, 6, 6)
    Source: Isola et al. (2017), "Image-to-image translation with conditional adversarial
      networks", section 3.2.2 and appendix 6.1.2; Zhu et al. (2017), "Unpaired image-to-image
      translation using cycle-consistent adversarial networks", appendix 7.2.
    """

    width: int = 64
    strides: tuple[int, ...] = (2, 2, 2, 1)
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Num[Array, "n height width channels"]) -> Float[Array, "n h w"]:
        """Maps images to raw outputs, high for what looks real."""
        if not self.strides:
            raise ValueError(f"strides: got {self.strides}, expected one or more")
        floats("x", x)
        size = x.shape[1:3]
        x = 2 * x - 1
        for i, stride in enumerate(self.strides):
            features = self.width * min(2**i, 8)
            x = self._convolved(x, features, size, stride=stride, use_bias=i == 0)
            if i > 0:
                self._refuse_one_place(x, size)
                x = instance_norm(x)
            x = nn.leaky_relu(x, 0.2)
        return self._convolved(x, 1, size)[..., 0]

    def _convolved(self, x: Array, features: int, size: tuple[int, ...], **options: Any) -> Array:
        self._refuse_one_place(x, size)
        x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        return Convolution(features, 4, kernel_init=KERNEL, dtype=self.dtype, **options)(x)

    def _refuse_one_place(self, x: Array, size: tuple[int, ...]) -> None:
        if min(x.shape[1:3]) < 2:
            raise ValueError(
                f"strides: got {self.strides} for images of {size[0]}x{size[1]}, expected fewer, "
                "or larger images"
            )

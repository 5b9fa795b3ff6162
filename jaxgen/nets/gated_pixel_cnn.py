"""The gated PixelCNN: two stacks of convolutions that together see all of what comes before."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.nets.causal_convolution import above, left, shifted_copies
from jaxgen.nets.contexts import none_forgotten
from jaxgen.nets.pixel_outputs import ChannelByChannel, image_and_context


class GatedPixelCNN(nn.Module):
    """A vertical stack that sees the rows above, a horizontal one that sees it and the row's left.

    Each layer is tanh(a) sigmoid(b) of a convolution, and the horizontal stack is residual. What
    comes out for a pixel depends on the pixels above it and to its left and on nothing else: with
    every layer the reach grows upwards and to both sides, and no pixel within it is missed (the
    blind spot of one masked stack). For its k-th channel it sees the channels before the k-th.

    Attributes:
      outputs: numbers per pixel and channel.
      features: width of either stack.
      layers: gated ones after the first.
      first_reach: of the first layer, upwards and to each side.
      reach: of every later one.
      dropout: share of the horizontal stack's new features that training sets to zero.
      dtype: to compute in; by default what input and params have in common.
    Example:
      >>> net, x = GatedPixelCNN(outputs=256), jnp.zeros((32, 32, 3))  # of one image
      >>> logits, params = jax.eval_shape(net.init_with_output, jax.random.key(0), x)
      >>> logits.shape  # of `net.apply(net.init(key, x), x)`: of each channel, of those before it
      (32, 32, 3, 256)
    Source: van den Oord et al. (2016b), "Conditional image generation with PixelCNN decoders",
      sections 2.1 to 2.3, figure 2; dropout as in Salimans et al. (2017), "PixelCNN++".
    """

    outputs: int
    features: int = 32
    layers: int = 4
    first_reach: int = 3
    reach: int = 1
    dropout: float = 0.0
    dtype: Any = None

    @nn.compact
    def __call__(
        self, inputs: Any, *, train: bool = False
    ) -> Float[Array, "height width channels outputs"]:
        """Maps an image, or (image, context), to what each pixel is told by those before it."""
        x, context = image_and_context(inputs)
        if context is None:
            none_forgotten(self)
        width, here = 2 * self.features, ((0, 0),)

        def dense(name: str, features: int, x: Array) -> Array:
            return nn.Dense(features, dtype=self.dtype, name=name)(x)

        def gated(name: str, h: Array) -> Array:
            if context is not None:
                h += nn.Dense(width, False, self.dtype, name=f"context_{name}")(context)
            a, b = jnp.split(h, 2, axis=-1)
            return nn.tanh(a) * nn.sigmoid(b)

        # What the vertical stack knows at a place is of the rows above it, so later layers may look
        # along its whole row; what the horizontal one knows, of pixels before it.
        vertical, horizontal = x, jnp.zeros(())
        aside, before = above(self.first_reach, self.first_reach), left(self.first_reach)
        for i in range(self.layers + 1):
            v = dense(f"vertical_{i}", width, shifted_copies(vertical, aside))
            h = dense(f"horizontal_{i}", width, shifted_copies(x if i == 0 else horizontal, before))
            h += dense(f"between_{i}", width, v)
            if i == 0:
                shape = (*x.shape[:2], width)
                h += self.param("position", nn.initializers.zeros, shape).astype(h.dtype)
            new = nn.Dropout(self.dropout, deterministic=not train)(gated(f"horizontal_{i}", h))
            horizontal += dense(f"residual_{i}", self.features, new)
            vertical = gated(f"vertical_{i}", v)
            row = tuple((0, column) for column in range(-self.reach, self.reach + 1))
            aside, before = above(self.reach, self.reach) + row, left(self.reach) + here
        return ChannelByChannel(self.outputs, self.features, self.dtype)(horizontal, x)

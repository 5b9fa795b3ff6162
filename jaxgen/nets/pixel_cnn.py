"""The PixelCNN of one wide causal convolution, which can be asked about a few pixels alone."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.nets.causal_convolution import above, left, patches, shifted_copies
from jaxgen.nets.contexts import none_forgotten
from jaxgen.nets.pixel_outputs import ChannelByChannel, image_and_context


class PixelCNN(nn.Module):
    """One causal convolution of a wide reach, then residual pairs of 1x1 layers.

    What comes out for a pixel depends on the pixels of `rows` rows above, up to `reach` columns
    aside, on `reach` pixels to the left and, for its k-th channel, on its own channels before the
    k-th. It knows where it is, by a bias for every place. A context is added to the features.

    All but the first layer look at one pixel alone, so `pixels` computes a few pixels at the cost
    of a few: enough to train on random pixels of each image, and to draw an image pixel by pixel.

    Attributes:
      outputs: numbers per pixel and channel.
      features: width of every layer.
      layers: residual pairs of them.
      rows: reach upwards.
      reach: to each side above, and to the left.
      dropout: share of the features within a pair that training sets to zero.
      dtype: to compute in; by default what input and params have in common.
    Example:
      >>> net, x = PixelCNN(outputs=1), jnp.zeros((28, 28, 1))  # of one image
      >>> logits, params = jax.eval_shape(net.init_with_output, jax.random.key(0), x)
      >>> logits.shape  # of `net.apply(net.init(key, x), x)`: of each pixel, of those before it
      (28, 28, 1, 1)
    Source: van den Oord et al. (2016a), "Pixel recurrent neural networks", section 3.4,
      with one wide convolution in the place of a wide and many narrow ones.
    """

    outputs: int
    features: int = 64
    layers: int = 3
    rows: int = 7
    reach: int = 6
    dropout: float = 0.0
    dtype: Any = None

    def __call__(
        self, inputs: Any, *, train: bool = False
    ) -> Float[Array, "height width channels outputs"]:
        """Maps an image, or (image, context), to what each pixel is told by those before it."""
        x, context = image_and_context(inputs)
        height, width, channels = x.shape
        seen = shifted_copies(x, self._offsets()).reshape(height * width, -1)
        told = self._tell(x, context, jnp.arange(height * width), seen, train)
        return told.reshape(height, width, channels, self.outputs)

    def pixels(
        self, inputs: Any, places: Int[Array, "n"], *, train: bool = False
    ) -> Float[Array, "n channels outputs"]:
        """Maps the same to what some pixels are told, `places` counted row by row from zero.

        Example:
          >>> net.apply(variables, x, jnp.array([0, 783]), method="pixels")  # two corners of 28x28
        """
        x, context = image_and_context(inputs)
        return self._tell(x, context, places, patches(x, self._offsets(), places), train)

    def _offsets(self) -> tuple[tuple[int, int], ...]:
        return above(self.rows, self.reach) + left(self.reach)

    @nn.compact
    def _tell(
        self, x: Array, context: Array | None, places: Array, seen: Array, train: bool
    ) -> Array:
        def dense(name: str, use_bias: bool = True) -> nn.Dense:
            return nn.Dense(self.features, use_bias, self.dtype, name=name)

        own = x.reshape(-1, x.shape[-1])
        position = self.param("position", nn.initializers.zeros, (len(own), self.features))
        h = dense("convolution", use_bias=False)(seen)
        h += jnp.asarray(position, h.dtype)[places]
        if context is None:
            none_forgotten(self)
        else:
            h += dense("context", use_bias=False)(context)
        for i in range(self.layers):
            y = nn.relu(dense(f"block_{i}_in")(nn.relu(h)))
            y = nn.Dropout(self.dropout, deterministic=not train)(y)
            h += dense(f"block_{i}_out")(y)
        return ChannelByChannel(self.outputs, self.features, self.dtype)(h, own[places])

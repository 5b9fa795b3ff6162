"""How causal nets of images are called, and how they end."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.nets.contexts import context_vector


class ChannelByChannel(nn.Module):
    """Two layers of what a pixel is told, where its k-th channel also sees those before the k-th.

    Attributes:
      outputs: numbers per channel.
      hidden: width between the two layers.
      dtype: to compute in; by default what input and params have in common.
    Example:
      >>> net = ChannelByChannel(outputs=256, hidden=64)
      >>> logits = net.apply(net.init(key, h, x), h, x)  # [28, 28, 3, 256] from [28, 28, 64]
    """

    outputs: int
    hidden: int
    dtype: Any = None

    @nn.compact
    def __call__(
        self, h: Float[Array, "*places features"], x: Float[Array, "*places channels"]
    ) -> Float[Array, "*places channels outputs"]:
        """Maps the features of every place and its own channels to the outputs of each channel."""
        h = nn.relu(h)
        told = []
        for k in range(x.shape[-1]):
            seen = jnp.concatenate([h, x[..., :k]], axis=-1)
            hidden = nn.relu(nn.Dense(self.hidden, dtype=self.dtype, name=f"hidden_{k}")(seen))
            told.append(nn.Dense(self.outputs, dtype=self.dtype, name=f"output_{k}")(hidden))
        return jnp.stack(told, axis=-2)


def image_and_context(inputs: Any) -> tuple[Array, Array | None]:
    """Returns x and None of an image x, and x and the flat context of a pair (x, context).

    Raises:
      ValueError: x is no image [height, width, channels].
    Example:
      >>> x, context = image_and_context((x, jax.nn.one_hot(label, 10)))
    """
    x, context = inputs if isinstance(inputs, tuple) else (inputs, None)
    if x.ndim != 3:
        raise ValueError(f"x: got shape {x.shape}, expected one image [height, width, channels]")
    return x, None if context is None else context_vector(context)

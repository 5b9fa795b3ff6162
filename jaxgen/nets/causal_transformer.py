"""A small transformer over pixels, each of which attends to those before it."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.nets.contexts import context_vector, none_forgotten


class CausalTransformer(nn.Module):
    """Attention from every entry of x to the entries before it, row by row, channel by channel.

    The sequence is shifted by one: position i is given entry i - 1, and the first a learned start.
    Layers normalize first (pre-LN), places are learned, and a context is added to all of them. Time
    and memory grow as the square of the number of entries.

    Attributes:
      outputs: numbers for each entry, last in what comes out.
      features: width of every layer, a multiple of `heads`.
      layers: of attention and a perceptron of four times the width each.
      heads: of each attention.
      dropout: share of what each half of a layer adds that training sets to zero.
      output_bias_init: `(key, [*x_shape, outputs], dtype) -> array`: the start at the data's mean.
      dtype: to compute in; by default what input and params have in common. Params are float32.
    Example:
      >>> net, x = CausalTransformer(outputs=17, features=8, heads=2), jnp.zeros((8, 8, 1))
      >>> logits, params = jax.eval_shape(net.init_with_output, jax.random.key(0), x)
      >>> logits.shape  # of `net.apply(net.init(key, x), x)`: 17 for each pixel, of those before it
      (8, 8, 1, 17)
    Source: Vaswani et al. (2017); over pixels: Chen et al. (2020), "Generative pretraining from
      pixels", section 2.
    """

    outputs: int = 1
    features: int = 64
    layers: int = 3
    heads: int = 4
    dropout: float = 0.0
    output_bias_init: nn.initializers.Initializer = nn.initializers.zeros
    dtype: Any = None

    @nn.compact
    def __call__(self, inputs: Any, *, train: bool = False) -> Float[Array, "*shape outputs"]:
        """Maps x, or in a context (x, context), to what is said of each entry."""
        x, context = inputs if isinstance(inputs, tuple) else (inputs, None)

        def dense(name: str, width: int, h: Array) -> Array:
            return nn.Dense(width, dtype=self.dtype, name=name)(h)

        def added(h: Array) -> Array:
            return nn.Dropout(self.dropout, deterministic=not train)(h)

        def normalized(h: Array) -> Array:
            return nn.LayerNorm(dtype=self.dtype)(h)

        known = dense("value", self.features, x.reshape(-1, 1))
        start = self.param("start", nn.initializers.normal(0.02), (1, self.features))
        h = jnp.concatenate([start.astype(known.dtype), known[:-1]])
        place = self.param("place", nn.initializers.normal(0.02), h.shape)
        h = h + place.astype(h.dtype)
        if context is None:
            none_forgotten(self)
        else:
            h = h + dense("context", self.features, context_vector(context))
        mask = nn.make_causal_mask(jnp.ones(x.size))
        for i in range(self.layers):
            attention = nn.MultiHeadDotProductAttention(
                self.heads, dtype=self.dtype, name=f"attention_{i}"
            )
            h = h + added(attention(normalized(h), mask=mask))
            wide = nn.gelu(dense(f"wide_{i}", 4 * self.features, normalized(h)))
            h = h + added(dense(f"narrow_{i}", self.features, wide))
        y = dense("output", self.outputs, normalized(h)).reshape(*x.shape, self.outputs)
        return y + self.param("output_bias", self.output_bias_init, y.shape).astype(y.dtype)

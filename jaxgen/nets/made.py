"""The masked autoencoder: dense layers through which an output sees only entries before its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from flax.linen.dtypes import promote_dtype
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from jaxgen.checks import sizes
from jaxgen.nets.contexts import context_vector, none_forgotten
from jaxgen.nets.orders import even_degrees, raster

_PAIR = "(x, (context, order)), order the number of one, () for no context"
_ALONE = "x, or (x, context): the one order needs no number"


class MADE(nn.Module):
    """Dense layers from x to `outputs` numbers for each entry, of the entries before it alone.

    A weight is zero unless it leads from an entry, or a unit that has seen entries up to some
    position, to what may see these. One set of weights serves several orders, each by masks of its
    own: averaged *probabilities* of several orders are a likelihood (`uniform_mixture`); averaged
    logits are none. Under `vmap`, masks are made once as long as the order is one for all.

    Attributes:
      hidden: widths of the hidden layers; empty for logistic regressions.
      outputs: numbers for each entry, last in what comes out.
      orders: size of x to the positions of its entries, [count, size].
      degrees: `(layer, width, size) -> [width]`: up to which position the units of a layer see.
      direct: whether outputs see the entries before them directly, too.
      dropout: share of hidden units left out in training.
      activation: after every hidden layer.
      kernel_init: of every layer.
      output_bias_init: `(key, [*x_shape, outputs], dtype) -> array`: the start at the data's mean.
      dtype: to compute in; by default what input and params have in common. Params are float32.
    Raises:
      ValueError: the order is missing, or is known not to be among those that there are; what
        `orders` or `degrees` gave is of another kind.
    Example:
      >>> net, x = MADE((16,)), jnp.ones((4, 4, 1))
      >>> params = net.init(jax.random.key(0), x)  # x is one image
      >>> net.apply(params, x).shape  # a logit for each pixel, of those before it
      (4, 4, 1, 1)
    Source: Germain et al. (2015), equations 9 to 15.
    """

    hidden: tuple[int, ...]
    outputs: int = 1
    orders: Callable[[int], np.ndarray] = raster
    degrees: Callable[[int, int, int], np.ndarray] = even_degrees
    direct: bool = True
    dropout: float = 0.0
    activation: Callable[[Array], Array] = nn.relu
    kernel_init: nn.initializers.Initializer = nn.initializers.glorot_uniform()
    output_bias_init: nn.initializers.Initializer = nn.initializers.zeros
    dtype: Any = None

    @nn.compact
    def __call__(self, inputs: Any, *, train: bool = False) -> Float[Array, "*shape outputs"]:
        """Maps x, or in a context (x, context), to what is said of each entry.

        Args:
          inputs: where there are several orders, (x, (context, order)), with () for no context.
        """
        x, context, position = self._unpacked(inputs)
        if context is None:
            none_forgotten(self)
        h, seen = x.reshape(-1), position
        for i, width in enumerate(sizes("hidden", self.hidden)):
            degree = self._degree(i, width, x.size)
            h = self._masked(f"hidden_{i}", h, seen[:, None] <= degree)
            h = h + self.param(f"bias_{i}", nn.initializers.zeros, (width,)).astype(h.dtype)
            h = h + self._of_context(f"context_{i}", context, width)
            h = nn.Dropout(self.dropout, deterministic=not train)(self.activation(h))
            seen = degree
        wide = jnp.repeat(position, self.outputs)
        y = self._masked("output", h, seen[:, None] < wide)
        if self.direct and self.hidden:
            y = y + self._masked("direct", x.reshape(-1), position[:, None] < wide)
        y = y + self._of_context("context", context, x.size * self.outputs)
        y = y.reshape(*x.shape, self.outputs)
        return y + self.param("output_bias", self.output_bias_init, y.shape).astype(y.dtype)

    def _unpacked(self, inputs: Any) -> tuple[Array, Array | None, Array]:
        """Returns x, the context if there is one, and the positions of x's entries."""
        both: tuple[Any, Any] = inputs if isinstance(inputs, tuple) else (inputs, ())
        x, context = both
        orders = np.asarray(self.orders(x.size))
        if orders.ndim != 2 or not np.array_equal(
            np.sort(orders), np.broadcast_to(np.arange(x.size), orders.shape)
        ):
            raise ValueError(
                f"orders: got an array of shape {orders.shape}, expected [count, {x.size}], each "
                f"row a permutation of 0 to {x.size - 1}"
            )
        if (isinstance(context, tuple) and len(context) == 2) != (len(orders) > 1):
            raise ValueError(
                f"inputs: got a context of type {type(context).__name__} for {len(orders)} orders, "
                f"expected {_PAIR if len(orders) > 1 else _ALONE}"
            )
        context, order = context if len(orders) > 1 else (context, 0)
        # A traced number is not known; beyond the last, JAX takes the last.
        if not (isinstance(order, Tracer) or 0 <= np.asarray(order) < len(orders)):
            raise ValueError(f"order: got {order}, expected one of 0 to {len(orders) - 1}")
        known = None if isinstance(context, tuple) else context_vector(context)
        return x, known, jnp.asarray(orders)[order]

    def _degree(self, layer: int, width: int, size: int) -> Array:
        degree = np.asarray(self.degrees(layer, width, size))
        if degree.shape != (width,) or degree.min() < 0 or degree.max() > max(size - 2, 0):
            raise ValueError(
                f"degrees: got shape {degree.shape}, from {degree.min()} to {degree.max()}, "
                f"expected ({width},), from 0 to {max(size - 2, 0)}"
            )
        return jnp.asarray(degree)

    def _masked(self, name: str, x: Array, mask: Bool[Array, "inputs outputs"]) -> Array:
        kernel = self.param(name, self.kernel_init, mask.shape)
        x, kernel = promote_dtype(x, kernel, dtype=self.dtype)
        return x @ jnp.where(mask, kernel, 0)

    def _of_context(self, name: str, context: Array | None, width: int) -> Array | float:
        if context is None:
            return 0.0
        return nn.Dense(width, use_bias=False, dtype=self.dtype, name=name)(context)

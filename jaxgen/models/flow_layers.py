"""Layers of flows: bijectors of one datapoint, as pure functions of their params and a context."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import distrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.distributions import (
    Conditioner,
    MaskedAutoregressive,
    Permutation,
    ScalarTransform,
    coupling,
    in_context,
)
from jaxgen.models.networks import AnyNet, network
from jaxgen.types import Key, Params

Shape: TypeAlias = tuple[int, ...]


class FlowLayer(NamedTuple):
    """A family of bijectors given a context.

    Attributes:
      init: `(key, context) -> params`.
      bijector: `(params, context, key=None) -> distrax.Bijector` of one datapoint, whose forward
        direction is the fast one. A key means training: its net draws its dropout from it.
    Example:
      >>> doubled = distrax.Block(distrax.ScalarAffine(0.0, 2.0), 1)
      >>> layer = FlowLayer(lambda key, context: {}, lambda params, context, key=None: doubled)
      >>> print(layer.bijector({}, ()).forward(jnp.ones(2)))
      [2. 2.]
    """

    init: Callable[[Key, Any], Params]
    bijector: Callable[..., distrax.Bijector]


def fixed(bijector: distrax.Bijector) -> FlowLayer:
    """Returns the layer that is always `bijector`: a logit, a squeeze, a permutation.

    Example:
      >>> doubled = distrax.Block(distrax.ScalarAffine(0.0, 2.0), 1)
      >>> density = flow(standard_normal(2), [fixed(doubled)])  # 2 x is N(0, I)
      >>> p = density.distribution({"noise": {}, "layers": [{}]}, ())
      >>> print(p.log_prob(jnp.zeros(2)))  # -log(2 pi) + 2 log 2
      -0.4516
    """
    return FlowLayer(lambda key, context: {}, lambda params, context, key=None: bijector)


def coupling_layer(
    conditioner: Callable[[Shape], AnyNet],
    transform: ScalarTransform,
    x_shape: Shape,
    *,
    first_moves: bool = False,
) -> FlowLayer:
    """Returns the layer that moves one half of the last axis as a net of the other half says.

    Args:
      conditioner: the shape [*shape of what moves, transform.outputs] to the net that gives these
        numbers, of what stays; in a context, of the pair (what stays, context).
      transform: of each entry that moves.
      x_shape: of one datapoint; the last axis has two entries at least.
      first_moves: the first half does, not the second.
    Raises:
      ValueError: the last axis is too short; at init, the net's output is not one array of its
        shape, or it keeps collections (batch statistics) beside its params.
    Example:
      >>> layer = coupling_layer(lambda shape: MLP((8,), shape), affine(), (2,))
      >>> params = layer.init(jax.random.key(0), ())
      >>> print(
      ...     layer.bijector(params, ()).forward(jnp.array([7.0, 1.0]))[0]
      ... )  # the first half stays
      7.0
    """
    *others, size = x_shape
    split = at_least("x_shape", size, 2) // 2
    kept, moved = (size - split, split) if first_moves else (split, size - split)
    shape = (*others, moved, transform.outputs)
    net = network("conditioner", conditioner(shape), shape)

    def init(key: Key, context: Any) -> Params:
        return net.init(key, in_context(jnp.zeros((*others, kept)), context))

    def bijector(params: Params, context: Any, key: Key | None = None) -> distrax.Bijector:
        numbers = Conditioner(params, context, key, net.apply, len(x_shape))
        return coupling(numbers, split, transform, first_moves=first_moves)

    return FlowLayer(init, bijector)


def autoregressive_layer(
    net: Callable[[int], AnyNet], transform: ScalarTransform, x_shape: Shape
) -> FlowLayer:
    """Returns the layer that transforms every entry as a causal net of those before it says.

    Args:
      net: `transform.outputs` to a causal net from x, or in a context (x, context), to
        [*x_shape, outputs], such as `lambda outputs: MADE((64, 64), outputs)`.
      transform: of each entry.
      x_shape: of one datapoint.
    Raises:
      ValueError: at init, as `coupling_layer`.
    Example:
      >>> layer = autoregressive_layer(lambda outputs: MADE((8,), outputs), affine(), (2,))
      >>> params = layer.init(jax.random.key(0), ())
      >>> layer.bijector(params, ()).forward(jnp.zeros(2)).shape
      (2,)
    """
    run = network("net", net(transform.outputs), (*x_shape, transform.outputs))

    def init(key: Key, context: Any) -> Params:
        return run.init(key, in_context(jnp.zeros(x_shape), context))

    def bijector(params: Params, context: Any, key: Key | None = None) -> distrax.Bijector:
        numbers = Conditioner(params, context, key, run.apply, len(x_shape))
        return MaskedAutoregressive(numbers, transform)

    return FlowLayer(init, bijector)


def coupling_layers(
    conditioner: Callable[[Shape], AnyNet],
    transform: ScalarTransform,
    x_shape: Shape,
    num_layers: int,
) -> list[FlowLayer]:
    """Returns couplings whose halves take turns; after every two, the last axis is shuffled.

    The shuffle is a riffle: what was one half lies in every second place. Squeezed images so see
    couplings of rows, of columns and of checkerboards.

    Raises:
      ValueError: num_layers is below one; as `coupling_layer`.
    Example:
      >>> layers = coupling_layers(lambda shape: MLP((8,), shape), affine(), (4,), 3)
      >>> len(layers)  # three couplings, and a shuffle after two of them
      4
      >>> density = flow(standard_normal(4), layers)
    """
    layers: list[FlowLayer] = []
    for i in range(at_least("num_layers", num_layers, 1)):
        if i and i % 2 == 0 and x_shape[-1] > 2:
            layers.append(fixed(_riffle(x_shape)))
        layers.append(coupling_layer(conditioner, transform, x_shape, first_moves=bool(i % 2)))
    return layers


def autoregressive_layers(
    net: Callable[[int], AnyNet], transform: ScalarTransform, x_shape: Shape, num_layers: int
) -> list[FlowLayer]:
    """Returns autoregressive layers, between which the order of the entries is turned round.

    Raises:
      ValueError: num_layers is below one; as `autoregressive_layer`.
    Example:
      >>> layers = autoregressive_layers(lambda outputs: MADE((8,), outputs), affine(), (2,), 5)
      >>> len(layers)  # five nets, and the entries turned round between them
      9
      >>> density = flow(standard_normal(2), layers)
    """
    turned = fixed(Permutation(np.arange(int(np.prod(x_shape)))[::-1], len(x_shape)))
    layers: list[FlowLayer] = []
    for i in range(at_least("num_layers", num_layers, 1)):
        layers += [turned] * (i > 0)
        layers.append(autoregressive_layer(net, transform, x_shape))
    return layers


def _riffle(x_shape: Shape) -> Permutation:
    places = np.arange(int(np.prod(x_shape))).reshape(x_shape)
    half = x_shape[-1] // 2
    order = np.empty_like(places)
    order[..., ::2], order[..., 1::2] = places[..., half:], places[..., :half]
    return Permutation(order.ravel(), len(x_shape))


def init_layers(layers: Sequence[FlowLayer], key: Key, context: Any) -> list[Params]:
    """Returns the params of each layer."""
    keys = jax.random.split(key, max(1, len(layers)))
    return [layer.init(key, context) for key, layer in zip(keys, layers, strict=False)]


def chain(
    layers: Sequence[FlowLayer], params: Sequence[Params], context: Any, key: Key | None = None
) -> distrax.Chain:
    """Returns the bijector of all layers, the first of them done first."""
    keys: list[Key | None] = [None] * len(layers)
    if key is not None:
        keys = list(jax.random.split(key, len(layers)))
    bijectors = [
        layer.bijector(own, context, key)
        for layer, own, key in zip(layers, params, keys, strict=True)
    ]
    return distrax.Chain(bijectors[::-1])


def shape_after(data: Sequence[distrax.Bijector], x_shape: Shape) -> Shape:
    """Returns the shape of what the bijectors, the first of them done first, make of x."""

    def through(x: Array) -> Array:
        for bijector in data:
            x = jnp.asarray(bijector.forward(x))
        return x

    return jax.eval_shape(through, jnp.zeros(x_shape)).shape

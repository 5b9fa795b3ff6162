"""What the last layer of a net is given: features that any linen net has, without touching it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.errors import ScopeParamShapeError
from jaxtyping import Array, Float

from jaxgen.array_checks import arrays
from jaxgen.nets.net import mode_of
from jaxgen.types import Variables

HEARD = "last_features"
"""The collection that inputs are sown in, as linen has it, so that they may leave `nn.remat`."""


def last_features(
    net: Any, variables: Variables, x: Any, *, layer: type[nn.Module] = nn.Dense
) -> Float[Array, "... features"]:
    """Returns the input of the last `Dense` that a pass of the net calls.

    The pass is one outside training (running statistics, no dropout), and what the net returns is
    as ever: the call is overheard, not changed. Works under jit and vmap.

    Args:
      net: a linen module: a critic, a classifier, an encoder.
      variables: that it is applied with.
      x: its input, an array or a pytree of them.
      layer: whose last call counts: `nn.Conv` of a critic that judges patches.
    Raises:
      ValueError: `net` is no linen module, or calls no such layer that can be heard; the variables
        have no params; x is no array, or of a shape that they are not for; or `layer` is no
        module's class.
    Example:
      >>> net, x = MLPCritic((8,)), jnp.zeros((5, 2))
      >>> variables = net.init(jax.random.key(0), x, train=True)
      >>> last_features(net, variables, x).shape  # what the layer to one number is given
      (5, 8)
    """
    if not isinstance(net, nn.Module):
        raise ValueError(f"net: got a {type(net).__name__}, expected a linen module")
    arrays("x", x)
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(x)]
    if not isinstance(variables, Mapping) or "params" not in variables:
        came = sorted(variables) if isinstance(variables, Mapping) else type(variables).__name__
        raise ValueError(f"variables: got {came}, expected `params` among their collections")
    if not (isinstance(layer, type) and issubclass(layer, nn.Module)):
        raise ValueError(
            f"layer: got {layer!r}, expected a class of linen modules, such as nn.Conv"
        )
    called: list[tuple[str, ...]] = []

    def overhear(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        module = context.module
        if isinstance(module, layer) and context.method_name == "__call__":
            called.append(module.path)
            module.sow(HEARD, "input", args[0] if args else kwargs["inputs"])
        return call(*args, **kwargs)

    try:
        with nn.intercept_methods(overhear):
            _, changed = net.apply(variables, x, mutable=[HEARD], **mode_of(net, train=False))
    except ScopeParamShapeError as error:
        raise ValueError(
            f"x: got shapes {shapes}, expected those that the variables are for: {error}"
        ) from None
    heard: Any = changed.get(HEARD, {})
    # Within nn.vmap and nn.scan nothing is sown; what nn.jit has cached is not called again.
    if not called or len(called) != len(jax.tree.leaves(heard)):
        raise ValueError(
            f"net: got a {type(net).__name__} that calls no linen {layer.__name__}, or one within "
            "nn.vmap, nn.scan or nn.jit, expected one whose last call can be heard"
        )
    for name in called[-1]:
        heard = heard[name]
    return heard["input"][-1]

"""Nets inside a model of one datapoint: from an array to an array, with params alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.errors import ScopeParamShapeError
from jaxtyping import Array

from jaxgen.array_checks import not_bytes
from jaxgen.nets import Net, as_net
from jaxgen.numerics import at_least_float32
from jaxgen.types import Key, Params

AnyNet: TypeAlias = nn.Module | Net | tuple[Callable[..., Any], Callable[..., Any]]
"""A linen module, an NNX module through `flax.nnx.bridge.ToLinen`, or a pair `(init, apply)`."""


class Network(NamedTuple):
    """A net as a model uses it.

    Attributes:
      init: `(key, inputs) -> params`.
      apply: `(params, inputs, key=None) -> outputs` in float32 or wider; a key means training, and
        is what dropout draws from. Inputs of bytes, or that the params are not for, are refused.
    """

    init: Callable[[Key, Any], Params]
    apply: Callable[..., Array]


def network(name: str, net: AnyNet, shape: tuple[int, ...] | None = None) -> Network:
    """Returns the net, with what it says checked when it is started.

    What a net says in half precision is widened here, before any log probability is summed.

    Args:
      name: what to call it in errors.
      net: of any library; see `as_net`.
      shape: of its output, where that is known.
    Raises:
      ValueError: net is none; at init, its output is not one array of `shape`, or it keeps
        collections beside its params, which no optimizer may move and no datapoint can update.
    Example:
      >>> encoder = network("encoder", MLP((200,), (2, 50)), (2, 50))
    """
    init_variables, apply_variables = as_net(net)

    def init(key: Key, inputs: Any) -> Params:
        variables = init_variables(key, inputs)
        if others := sorted(set(variables) - {"params"}):
            raise ValueError(
                f"{name}: got a net with the collections {', '.join(others)}, expected params "
                "alone: one datapoint has no batch statistics; normalize with LayerNorm or "
                "GroupNorm"
            )
        outputs, _ = jax.eval_shape(apply_variables, variables, inputs)
        found = getattr(outputs, "shape", None)
        if found is None:
            raise ValueError(f"{name}: got a {type(outputs).__name__} as output, expected an array")
        if shape is not None and found != shape:
            raise ValueError(f"{name}: got an output of shape {found}, expected {shape}")
        return variables

    def apply(params: Params, inputs: Any, key: Key | None = None) -> Array:
        for leaf in jax.tree.leaves(inputs):
            not_bytes(name, leaf)
        train = key is not None
        # A clone: one key is one mask, however often the net is asked.
        key = jax.random.clone(key) if train else None
        try:
            outputs, _ = apply_variables(params, inputs, key=key, train=train)
        except ScopeParamShapeError as error:
            shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(inputs)]
            raise ValueError(
                f"{name}: got inputs of shapes {shapes}, expected those that its params are for: "
                f"{error}"
            ) from None
        return at_least_float32(name, outputs)

    return Network(init, apply)

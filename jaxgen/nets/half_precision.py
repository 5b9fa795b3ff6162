"""Any net computed in half precision, with everything that lasts in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgen.nets.net import AnyNet, Net, as_net
from jaxgen.types import Key, Variables


def half_precision(net: AnyNet, *, dtype: DTypeLike = jnp.bfloat16) -> Net:
    """Returns the net whose passes are in `dtype`, on params, inputs and outputs in float32.

    Params and floating inputs are rounded for the pass, and what comes out is widened, so that
    optimizer, averages, losses and log likelihoods stay in float32. Collections, such as batch
    statistics, keep the precision that they have. bfloat16 has float32's range, so gradients need
    no scaling; float16 would.

    Args:
      net: see `as_net`.
      dtype: of 16 bits.
    Raises:
      ValueError: `net` is none; `dtype` is no floating type of 16 bits.
    Example:
      >>> net = half_precision(MLP((8,), (2,)))
      >>> variables = net.init(jax.random.key(0), jnp.ones(3))
      >>> outputs, _ = net.apply(variables, jnp.full(3, 0.3))
      >>> outputs.dtype, variables["params"]["Dense_0"]["kernel"].dtype
      (dtype('float32'), dtype('float32'))
    Source: Micikevicius et al. (2018), "Mixed precision training"; Kalamkar et al. (2019) for
      bfloat16.
    """
    found = jnp.dtype(dtype)
    if not jnp.issubdtype(found, jnp.floating) or found.itemsize != 2:
        raise ValueError(f"dtype: got {found.name}, expected bfloat16 or float16")
    init, whole = as_net(net)

    def apply(
        variables: Variables, inputs: Any, /, *, key: Key | None = None, train: bool = False
    ) -> tuple[Any, Variables]:
        rounded = {**variables, "params": _in(found, variables["params"])}
        outputs, changed = whole(rounded, _in(found, inputs), key=key, train=train)
        kept = {name: variables[name] for name in changed}
        return _in(jnp.float32, outputs), jax.tree.map(_as, changed, kept)

    return Net(init, apply)


PRECISIONS: dict[str, Callable[[AnyNet], Net]] = {"float32": as_net, "bf16": half_precision}
"""How a net is computed, by name."""


def _in(dtype: DTypeLike, tree: Any) -> Any:
    """Returns the tree with its floating arrays in `dtype`; integers and keys are left."""

    def cast(leaf: Any) -> Any:
        floating = jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
        return jnp.asarray(leaf, dtype) if floating else leaf

    return jax.tree.map(cast, tree)


def _as(changed: Any, kept: Any) -> Any:
    return jnp.asarray(changed, jnp.result_type(kept))

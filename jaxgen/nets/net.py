"""What this package asks of a net, whichever library it is written in."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import flax.linen as nn
import jax

from jaxgen.types import Key, Params, Variables

DROPOUT = 2**32 - 1
"""Folded into a key: far from the counters that a split of the same key uses."""

Pair: TypeAlias = tuple[Callable[[Key, Any], Params], Callable[[Params, Any], Any]]
"""`init(key, inputs) -> params` and `apply(params, inputs) -> outputs`."""


@runtime_checkable
class NetApply(Protocol):
    """A net's forward pass.

    Example:
      >>> def doubled(variables, inputs, /, *, key=None, train=False):
      ...     return 2 * inputs, {}
      >>> isinstance(doubled, NetApply)
      True
    """

    def __call__(
        self, variables: Variables, inputs: Any, /, *, key: Key | None = None, train: bool = False
    ) -> tuple[Any, Variables]:
        """Returns the outputs, and in training the collections that the pass changed.

        `key` is for noise inside the net, such as dropout in training.
        """
        ...


class Net(NamedTuple):
    """Two pure functions of explicit variables; inputs are any pytree of arrays.

    Attributes:
      init: `(key, inputs) -> variables`: `params` and, beside it, the collections that a forward
        pass in training changes (batch statistics, singular vectors), by name.
      apply: `(variables, inputs, *, key=None, train=False) -> (outputs, changed collections)`.
    Example:
      >>> def init(key, x):
      ...     return {"params": {"scale": jnp.array(2.0)}}
      >>> def apply(variables, x, *, key=None, train=False):
      ...     return variables["params"]["scale"] * x, {}
      >>> net = Net(init, apply)
      >>> outputs, changed = net.apply(net.init(jax.random.key(0), 3.0), 3.0)
      >>> print(outputs, changed)
      6.0 {}
    """

    init: Callable[[Key, Any], Variables]
    apply: NetApply


AnyNet: TypeAlias = nn.Module | Net | Pair
"""What `as_net` accepts."""


def as_net(net: AnyNet) -> Net:
    """Returns the one form of a net that everything in this package is written for.

    Args:
      net: a linen module; an NNX module through `flax.nnx.bridge.ToLinen`; a `Net`; or a pair of
        functions, `init(key, inputs) -> params` and `apply(params, inputs) -> outputs`, of any
        library. A module is called with `train=...` if it takes that argument by name.
    Raises:
      ValueError: it is none of these.
    Example:
      >>> net = as_net(MLPCritic((8,), spectral_norm=True))
      >>> x = jnp.zeros((5, 2))
      >>> variables = net.init(jax.random.key(0), x)
      >>> logits, changed = net.apply(variables, x, train=True)
      >>> logits.shape, list(changed)
      ((5,), ['batch_stats'])
    """
    if isinstance(net, Net):
        return net
    if isinstance(net, nn.Module):
        return _of_module(net)
    if isinstance(net, tuple) and len(net) == 2 and all(map(callable, net)):
        return _of_pair(*net)
    raise ValueError(
        f"net: got a {type(net).__name__}, expected a linen module (NNX through "
        "flax.nnx.bridge.ToLinen), a Net or a pair of functions (init, apply)"
    )


def mode_of(module: nn.Module, *, train: bool) -> dict[str, Any]:
    """Returns what tells a module whether it is in training, if it takes that at all."""
    # NNX through the bridge: the bridge's own call takes anything.
    called = getattr(module, "nnx_class", type(module)).__call__
    return {"train": train} if "train" in inspect.signature(called).parameters else {}


def _of_module(module: nn.Module) -> Net:
    def init(key: Key, inputs: Any) -> Variables:
        # The params are drawn from the key itself, as linen does with a single one.
        rngs = {"params": key, "dropout": jax.random.fold_in(key, DROPOUT)}
        return dict(module.init(rngs, inputs, **mode_of(module, train=True)))

    def apply(
        variables: Variables, inputs: Any, /, *, key: Key | None = None, train: bool = False
    ) -> tuple[Any, Variables]:
        rngs: dict[str, Any] = {}
        if key is not None:  # linen takes what has no stream of its own from that of the params
            rngs["dropout"], rngs["params"] = jax.random.split(key)
        collections = [name for name in variables if name != "params"] if train else []
        outputs, changed = module.apply(
            variables, inputs, rngs=rngs, mutable=collections, **mode_of(module, train=train)
        )
        return outputs, dict(changed)

    return Net(init, apply)


def _of_pair(init: Callable[[Key, Any], Params], apply: Callable[[Params, Any], Any]) -> Net:
    def init_variables(key: Key, inputs: Any) -> Variables:
        return {"params": init(key, inputs)}

    def apply_variables(
        variables: Variables, inputs: Any, /, *, key: Key | None = None, train: bool = False
    ) -> tuple[Any, Variables]:
        return apply(variables["params"], inputs), {}

    return Net(init_variables, apply_variables)

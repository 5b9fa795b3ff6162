"""What layers within a net are given, overheard without a change to the net."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flax.linen as nn
from jaxtyping import Array


@contextmanager
def inputs_of(layer: type[nn.Module]) -> Iterator[list[Array]]:
    """Yields a list that fills with the inputs of all such layers called meanwhile, in order.

    Example:
      with inputs_of(nn.Dense) as inputs:
          logits = critic.apply(variables, x, train=False)
      features = inputs[-1]
    """
    inputs: list[Array] = []

    def overhear(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        if isinstance(context.module, layer) and context.method_name == "__call__":
            inputs.append(args[0] if args else kwargs["inputs"])
        return call(*args, **kwargs)

    with nn.intercept_methods(overhear):
        yield inputs

"""What a net that was started in a context may not be without."""

from __future__ import annotations

import flax.linen as nn


def none_forgotten(net: nn.Module) -> None:
    """Refuses params with weights of a context, where the net is given none.

    Flax leaves params unused that no layer asks for: the net would speak as in a context of zeros.

    Raises:
      ValueError: the net has such params.
    Example:
      >>> if context is None:
      ...     none_forgotten(self)
    """
    if any(name.startswith("context") for name in net.variables.get("params", {})):
        raise ValueError(
            "inputs: got no context, expected (x, context) as where these params were started"
        )

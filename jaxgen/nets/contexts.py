"""What a net that was started in a context may not be without."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float


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


def context_vector(context: Any) -> Float[Array, "size"]:
    """Returns a context as one vector.

    Raises:
      ValueError: it is no array or number of floating point, such as the number of a class, of
        which no class is twice another.
    Example:
      >>> context_vector(jax.nn.one_hot(3, 10))
    """
    try:
        vector = jnp.asarray(context)
    except TypeError:
        raise ValueError(f"context: got {context!r}, expected an array") from None
    if not jnp.issubdtype(vector.dtype, jnp.floating):
        raise ValueError(
            f"context: got {vector.dtype}, expected floating-point numbers, such as "
            "jax.nn.one_hot(label, num_classes)"
        )
    return vector.reshape(-1)

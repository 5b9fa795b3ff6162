"""Names that every room shares.

The dictionary of the house: `x` is data, `z` a latent, `q` a posterior or any distribution whose
parameters are learned, `theta`/`phi` are spelled `params`, `logits` and `probs` say which they are,
`num_samples` is a count, `value` is the number whose gradient is wanted. Keys are typed
(`jax.random.key`), stand first and are consumed once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax
from jaxtyping import Array, Float
from jaxtyping import Key as _Key

Key: TypeAlias = _Key[Array, ""]
"""One typed random key."""

Scalar: TypeAlias = Float[Array, ""]
"""One floating-point number; a log probability or a divergence is in nats."""

Params: TypeAlias = Any
"""A pytree of arrays that an optimizer may change."""

Info: TypeAlias = dict[str, Any]
"""What is worth seeing of a step: named arrays, never fed back into the computation."""

Loss: TypeAlias = Callable[[Params, Key, Any], tuple[jax.Array, Info]]
"""`(params, key, batch) -> (scalar to lower, info)`: all that training knows of a model."""


@runtime_checkable
class Distribution(Protocol):
    """Anything that samples and scores, in distrax's spelling."""

    def sample(self, *, seed: Any, sample_shape: Any = ()) -> Any:
        """Draws an array of shape `sample_shape + batch_shape + event_shape`."""
        ...

    def log_prob(self, value: Any) -> Any:
        """Log density or mass of `value`, in nats, of shape `batch_shape`."""
        ...

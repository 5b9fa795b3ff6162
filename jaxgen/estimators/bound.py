"""What a multi-sample estimator must know of the bound that it climbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.numerics import log_mean_exp
from jaxgen.types import Scalar


class Bound(NamedTuple):
    """A way to join the log weights l_1..K of one datapoint's samples into one number, in nats.

    Attributes:
      name: the field's name for it.
      value: [samples] log weights to the bound L. All of them -inf give -inf.
      path_weights: log weights to dL/dl_k - d²L/dl_k², what `doubly_reparameterized` multiplies the
        path through sample k by; None where L is not twice differentiable.
      linear: whether L is linear in the log weights, so that the score of log q has mean zero in it
        and may be left out.
    """

    name: str
    value: Callable[[Float[Array, "samples"]], Scalar]
    path_weights: Callable[[Float[Array, "samples"]], Float[Array, "samples"]] | None
    linear: bool = False

    def __call__(self, log_weights: Float[Array, "samples"]) -> Scalar:
        """The bound itself."""
        return self.value(log_weights)


def normalized(log_weights: Float[Array, "samples"]) -> Float[Array, "samples"]:
    """Returns the weights divided by their sum; zeros, not NaN, where the sum is zero or infinite.

    Example:
      normalized(jnp.log(jnp.array([1.0, 3.0])))  # [0.25, 0.75]
    """
    log_sum = jax.nn.logsumexp(log_weights)
    defined = jnp.isfinite(log_sum)
    return jnp.where(defined, jnp.exp(log_weights - jnp.where(defined, log_sum, 0.0)), 0.0)


ELBO = Bound("elbo", jnp.mean, lambda logs: jnp.ones_like(logs) / len(logs), linear=True)
"""The mean of the log weights; of any other f than a log weight, plainly the mean of f."""

IWAE = Bound(
    "iwae",
    lambda log_weights: log_mean_exp(log_weights, axis=0),
    lambda log_weights: normalized(log_weights) ** 2,
)
"""The log of the mean weight. Source: Burda et al. (2016), equation 8."""

"""What a bound is: log weights of one datapoint to one number."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.array_checks import axis_of_samples
from jaxgen.types import Scalar
from jaxgen.values import Value


class Bound(Value):
    """A way to join the log weights l_1..K of one datapoint's samples into one number, in nats.

    Attributes:
      name: the field's name for it.
      value: [samples] log weights to the bound L. All of them -inf give -inf.
      path_weights: log weights to dL/dl_k - d²L/dl_k², what `doubly_reparameterized` multiplies the
        path through sample k by; None where L is not twice differentiable.
      linear: whether L is linear in the log weights, so that the score of log q has mean zero in it
        and may be left out.
    Example:
      >>> float(IWAE(jnp.log(jnp.array([1.0, 3.0]))))  # log of the mean weight, 2
      0.6931
      >>> batch = jnp.zeros((5, 3))  # [datapoints, samples]
      >>> jax.vmap(ELBO)(batch).shape
      (5,)
    """

    name: str
    value: Callable[[Float[Array, "samples"]], Scalar]
    path_weights: Callable[[Float[Array, "samples"]], Float[Array, "samples"]] | None
    linear: bool = False

    def __call__(self, log_weights: Float[Array, "..."]) -> Scalar:
        """The bound itself, of log weights [samples] of one datapoint.

        Raises:
          ValueError: log_weights has not one axis, or no entry: a batch's is `jax.vmap(bound)`.
        """
        axis_of_samples("log_weights", log_weights)
        log_weights = jnp.asarray(log_weights)
        widened = jnp.promote_types(log_weights.dtype, jnp.float32)
        return self.value(log_weights.astype(widened))

"""The autoregressive bijector: every entry is transformed as a causal net of those before it says.

Forward in one pass of the net, backward by fixed point. Each way is a flow of the literature:
inverse autoregressive is fast to draw from, masked autoregressive fast to score.
"""

from __future__ import annotations

import math

import distrax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from jaxgen.distributions.coupling import Conditioner
from jaxgen.distributions.fixed_point import triangular_fixed_point
from jaxgen.distributions.scalar_transforms import ScalarTransform


class MaskedAutoregressive(distrax.Bijector):
    """y_i = T(x_i; numbers(x before i)), for any one order of the entries, which the net knows.

    As it stands it makes noise an inverse autoregressive flow's draw; `distrax.Inverse` of it makes
    noise a masked autoregressive flow's, and scores data in one pass.

    Args:
      conditioner: x to [*shape of x, transform.outputs], causal: what it says of an entry depends
        on those before it alone.
      transform: of each entry.
    Example:
      >>> net = MADE((8,), outputs=2)  # a shift and a log scale for each entry
      >>> x = jnp.array([0.5, -1.0, 2.0])
      >>> params = net.init(jax.random.key(0), x)
      >>> numbers = Conditioner(params, (), None, lambda params, x, key: net.apply(params, x))
      >>> bijector = MaskedAutoregressive(numbers, affine())
      >>> print(jnp.round(bijector.inverse(bijector.forward(x)), 4))
      [ 0.5 -1.   2. ]
    Source: Kingma et al. (2016), "Improved variational inference with inverse autoregressive flow";
    Papamakarios et al. (2017), "Masked autoregressive flow for density estimation", section 3.
    """

    def __init__(self, conditioner: Conditioner, transform: ScalarTransform):
        super().__init__(event_ndims_in=conditioner.event_ndims)
        self._conditioner, self._transform = conditioner, transform

    def forward_and_log_det(self, x: ArrayLike) -> tuple[Array, Array]:
        """Returns y and log |det dy/dx|, in one pass."""
        x = jnp.asarray(x)
        y, log_det = self._inner(x).forward_and_log_det(x)
        return jnp.asarray(y), jnp.asarray(log_det)

    def inverse_and_log_det(self, y: ArrayLike) -> tuple[Array, Array]:
        """Returns x and log |det dx/dy|, by fixed point."""
        x, _ = self.inverse_with_passes(jnp.asarray(y))
        return x, -jnp.asarray(self._inner(x).forward_log_det_jacobian(x))

    def inverse_with_passes(self, y: Float[Array, "..."]) -> tuple[Array, Int[Array, ""]]:
        """Returns x and how many passes of the net it took: of all of a batch together."""
        size = math.prod(y.shape[y.ndim - self.event_ndims_in :])

        def settled(x: Array) -> Array:
            return jnp.asarray(self._inner(x).inverse(y))

        return triangular_fixed_point(settled, jnp.zeros_like(y), max(1, size))

    def same_as(self, other: distrax.Bijector) -> bool:
        """Whether it is known to be the same bijector."""
        return self is other

    def _inner(self, x: Array) -> distrax.Bijector:
        elementwise = self._transform.bijector(self._conditioner(x))
        return distrax.Block(elementwise, self.event_ndims_in)

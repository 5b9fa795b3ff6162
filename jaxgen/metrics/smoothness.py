"""How smooth a function is, at one point: norms of its Jacobian."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.numerics import highest_precision
from jaxgen.types import Scalar


class JacobianNorms(NamedTuple):
    """Norms of df/dx at one x, in units of f per unit of x.

    Attributes:
      frobenius: square root of the sum of squares; the root mean square change of f under small
        isotropic noise of unit variance.
      spectral: the largest singular value; the most that f changes per step, the local Lipschitz
        constant.
    Example:
      >>> norms = jacobian_norms(lambda x: jnp.array([3.0, 4.0]) * x, jnp.ones(2))
      >>> float(norms.frobenius), float(norms.spectral)
      (5.0, 4.0)
    """

    frobenius: Scalar
    spectral: Scalar


@highest_precision
def jacobian_norms(
    f: Callable[[Float[Array, "..."]], Float[Array, "..."]], x: Float[Array, "..."]
) -> JacobianNorms:
    """Returns the norms of the Jacobian of f at one datapoint, both flattened to vectors.

    Args:
      f: such as an encoder's posterior mean, x to E_q[z|x].
      x: where.
    Example:
      >>> xs = jnp.ones((5, 2))
      >>> norms = jax.vmap(lambda x: jacobian_norms(lambda x: 2 * x, x))(xs)
      >>> float(jnp.mean(norms.spectral))
      2.0
    Source: Shu et al. (2018), section 2, for the smoothness of an encoder.
    """
    size = jax.eval_shape(f, x).size
    jacobian = jax.jacrev(f)(x) if size < x.size else jax.jacfwd(f)(x)
    jacobian = jnp.reshape(jacobian, (size, x.size))
    return JacobianNorms(jnp.linalg.norm(jacobian), jnp.linalg.norm(jacobian, 2))

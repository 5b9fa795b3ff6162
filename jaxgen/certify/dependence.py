"""Which outputs of a function depend on which inputs, by automatic differentiation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from jaxgen.array_checks import arrays
from jaxgen.numerics import highest_precision
from jaxgen.types import Params


@highest_precision
def dependence(
    function: Callable[[Params, Array], Any], params: Params, x: Array
) -> Bool[np.ndarray, "entries inputs"]:
    """Returns whether what `function` says of entry i of x depends on entry j: [i, j].

    Params of a network are made positive and x is set to one: all paths then add up, none cancels
    and no rectifier is shut, so that the Jacobian is non-zero if and only if there is a path. It is
    taken in float64. A unit that saturates could still hide one: a hundredth of those params, and
    the params as they are at random x, are looked at too.

    Args:
      function: `(params, x) -> pytree` of floating arrays, of the shape of x or with more axes
        behind it.
      x: of the right shape; its numbers do not matter.
    Raises:
      ValueError: the function does not take x, or says nothing of its shape.
    Example:
      >>> dependence(lambda w, x: w @ x, jnp.tril(jnp.ones((3, 3)), -1), jnp.zeros(3)).sum()  # 3
    """
    arrays("params", params)
    try:
        jax.eval_shape(function, params, x)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"x: got shape {jnp.shape(x)}, expected one that `function` takes; it says: {error}"
        ) from error
    shape = jnp.shape(x)
    size = int(np.prod(shape))

    def says(params: Params, x: Array) -> Array:
        """Everything said of each entry: [size, numbers]."""
        leaves = [leaf for leaf in jax.tree.leaves(function(params, x)) if _floating(leaf)]
        of_entries = [leaf for leaf in leaves if leaf.shape[: len(shape)] == shape]
        if not of_entries:
            raise ValueError(
                f"function: got outputs of shapes {[leaf.shape for leaf in leaves]}, expected some "
                f"of shape {(*shape, '...')}"
            )
        return jnp.concatenate([leaf.reshape(size, -1) for leaf in of_entries], axis=1)

    def paths(params: Params, x: Array) -> Array:
        return jnp.any(
            jax.jacobian(says, argnums=1)(params, x).reshape(size, -1, size) != 0, axis=1
        )

    with jax.enable_x64(True):
        as_they_are = jax.tree.map(_widened, params)
        positive = jax.tree.map(
            lambda leaf: jnp.abs(leaf) if _floating(leaf) else leaf, as_they_are
        )
        at_random = np.random.default_rng(0).uniform(size=shape)
        small = jax.tree.map(lambda leaf: leaf / 100 if _floating(leaf) else leaf, positive)
        ones = np.ones(shape)
        points = ((positive, ones), (small, ones), (as_they_are, at_random))
        found = jax.jit(paths)
        return np.any([np.asarray(found(*point)) for point in points], axis=0)


def _floating(leaf: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jnp.floating)


def _widened(leaf: Any) -> Any:
    return jnp.asarray(leaf, jnp.float64) if _floating(leaf) else leaf

"""What lets a net of one vector see several arrays, such as a critic a sample and its latent."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.nets.net import AnyNet, Net, as_net
from jaxgen.types import Key, Variables


def concatenated(net: AnyNet) -> Net:
    """Returns the net of any pytree of arrays that is `net` of one vector for each sample.

    Args:
      net: of batches of vectors, [n, dims].
    Example:
      >>> critic = concatenated(MLPCritic((8,)))
      >>> x, z = jnp.zeros((5, 4, 4, 1)), jnp.zeros((5, 3))
      >>> variables = critic.init(jax.random.key(0), (x, z))
      >>> critic.apply(variables, (x, z))[0].shape
      (5,)
    """
    init, apply = as_net(net)

    def apply_concatenated(
        variables: Variables, inputs: Any, /, *, key: Key | None = None, train: bool = False
    ) -> tuple[Any, Variables]:
        return apply(variables, vectors(inputs), key=key, train=train)

    return Net(lambda key, inputs: init(key, vectors(inputs)), apply_concatenated)


def vectors(inputs: Any) -> Float[Array, "n dims"]:
    """Returns the arrays of a pytree, each sample's as one vector, in the order of the leaves.

    Raises:
      ValueError: the arrays have no leading axis of one length.
    Example:
      >>> x, z = jnp.zeros((5, 4, 4, 1)), jnp.zeros((5, 3))
      >>> vectors((x, z)).shape
      (5, 19)
    """
    leaves = jax.tree.leaves(inputs)
    if len({jnp.shape(leaf)[:1] for leaf in leaves} | {()}) != 2:
        shapes = [jnp.shape(leaf) for leaf in leaves]
        raise ValueError(f"inputs: got shapes {shapes}, expected one common leading axis")
    return jnp.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)

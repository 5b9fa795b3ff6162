"""What tells a net the class: the one-hot label beside its inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from jaxgen.array_checks import class_labels
from jaxgen.checks import at_least
from jaxgen.nets.net import AnyNet, Net, as_net
from jaxgen.types import Key, Variables

Labeled: TypeAlias = tuple[Array, Array | np.ndarray]
"""Datapoints and the class of each."""


def labeled(
    net: AnyNet,
    num_classes: int,
    *,
    join: Callable[[tuple[Array, Array]], Array] | None = None,
) -> Net:
    """Returns the net of (x, labels) that is `net` of x with the one-hot labels concatenated.

    Serves both players: a generator's latents become longer, a critic's images get a channel for
    each class, one everywhere or zero everywhere.

    Args:
      net: of what is joined.
      num_classes: labels are integers below it; traced ones that are not are the zero vector.
      join: of x and the one-hot labels, [n, num_classes]; `channels` by default. For images that
        the net flattens, `vectors` has a number for each class and not a map.
    Raises:
      ValueError: num_classes is below one; in use, if labels are not one integer for each of x, or,
        where they are not traced, outside the classes.
    Example:
      >>> generator = labeled(MLPGenerator((8,), (2,)), num_classes=10)
      >>> z, labels = jnp.zeros((3, 4)), jnp.array([7, 0, 7])
      >>> variables = generator.init(jax.random.key(0), (z, labels))
      >>> generator.apply(variables, (z, labels))[0].shape
      (3, 2)
    Source: Mirza & Osindero (2014), "Conditional generative adversarial nets", section 3.2.
    """
    num_classes = at_least("num_classes", num_classes, 1)
    init, apply = as_net(net)

    def joined(inputs: Labeled) -> Array:
        x, labels = inputs
        return (join or channels)((x, one_hot(labels, num_classes, x)))

    def apply_labeled(
        variables: Variables,
        inputs: Labeled,
        /,
        *,
        key: Key | None = None,
        train: bool = False,
    ) -> tuple[Any, Variables]:
        return apply(variables, joined(inputs), key=key, train=train)

    return Net(lambda key, inputs: init(key, joined(inputs)), apply_labeled)


def one_hot(
    labels: Array | np.ndarray, num_classes: int, x: Num[Array, "_ ..."]
) -> Float[Array, "n classes"]:
    """Returns one vector for each row of labels: of a pack, those of its labels in a row.

    Args:
      x: what they are of, whose dtype they get.
    Raises:
      ValueError: they are not of so many, no integers, or no classes.
    """
    class_labels(labels, num_classes, len(x), *jnp.shape(labels)[1:])
    return jax.nn.one_hot(labels, num_classes, dtype=x.dtype).reshape(len(labels), -1)


def channels(
    inputs: tuple[Float[Array, "n ... channels"], Float[Array, "n more"]],
) -> Float[Array, "n ... both"]:
    """Returns x with every entry of the vectors as one more channel, the same at every place.

    Example:
      >>> x, one_hot = jnp.zeros((2, 4, 4, 1)), jnp.eye(2)
      >>> channels((x, one_hot)).shape
      (2, 4, 4, 3)
    """
    x, vectors = inputs
    places = vectors.reshape(len(vectors), *[1] * (x.ndim - 2), -1)
    maps = jnp.broadcast_to(places, (*x.shape[:-1], vectors.shape[-1]))
    return jnp.concatenate([x, maps], axis=-1)

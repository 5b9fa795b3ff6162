"""The loss of a batch from that of one datapoint, and whether a loss sees the step."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.train.average import in_float32_at_least
from jaxgen.types import Info, Key, Loss, Params


def mean_over_batch(one: Callable[..., tuple[jax.Array, Info]]) -> Loss:
    """Returns the loss of a batch: the mean of its datapoints', and of all in their infos.

    Datapoint i of n has the i-th key of `jax.random.split(key, n)`. Means are in float32 at least.

    Args:
      one: `(params, key, datapoint) -> (scalar to lower, info)`; if it declares a keyword-only
        parameter `step`, it is given the number of updates made so far.
    Raises:
      ValueError: the batch is empty, or its arrays have no common leading axis; `one` returns no
        pair of a single number and an info.
    Example:
      >>> def one(params, key, x):
      ...     error = jnp.sum((x - params) ** 2)
      ...     return error, {"error": error}  # to be lowered, and what is worth seeing
      >>> loss, info = mean_over_batch(one)(
      ...     jnp.zeros(1), jax.random.key(0), jnp.array([[1.0], [3.0]])
      ... )
      >>> float(loss)
      5.0
    """

    @functools.wraps(one)  # its signature too, which says whether it sees the step
    def loss(params: Params, key: Key, batch: Any, **step: Any) -> tuple[jax.Array, Info]:
        size = leading_axis("batch", batch)
        if size == 0:
            raise ValueError("batch: got 0 datapoints, expected at least one")
        keys = jax.random.split(key, size)
        both = jax.vmap(functools.partial(one, params, **step))(keys, batch)
        if type(both) is not tuple or len(both) != 2 or not isinstance(both[0], jax.Array):
            raise ValueError(
                f"one: got {type(both).__name__}, expected (scalar to lower, info): return "
                "`value, {}` if there is nothing to show"
            )
        values, info = both
        if jnp.ndim(values) != 1:
            raise ValueError(
                f"one: got a value of shape {jnp.shape(values)[1:]} for one datapoint, expected "
                "one number (shape ())"
            )
        return mean_of_datapoints(values), jax.tree.map(mean_of_datapoints, info)

    return loss


def given_step(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `loss` as one that is always given `step=...`, whether it declares it or not."""
    return loss if sees_step(loss) else lambda *arguments, step: loss(*arguments)


def sees_step(loss: Callable[..., Any]) -> bool:
    """Returns whether `loss` declares a keyword-only parameter `step`."""
    try:
        parameter = inspect.signature(loss).parameters.get("step")
    except (TypeError, ValueError):  # some functions have no signature
        return False
    return parameter is not None and parameter.kind is inspect.Parameter.KEYWORD_ONLY


def leading_axis(name: str, data: Any) -> int:
    """Returns the length of the leading axis that all arrays of `data` share.

    Raises:
      ValueError: there is none.
    """
    shapes = [np.shape(array) for array in jax.tree.leaves(data)]  # of any array-like
    sizes = {shape[:1] for shape in shapes}
    if len(sizes) != 1 or () in sizes:
        raise ValueError(
            f"{name}: got shapes {shapes}, expected arrays with one common leading axis"
        )
    return shapes[0][0]


def mean_of_datapoints(values: jax.Array) -> jax.Array:
    """Returns the mean over the leading axis, in float32 at least."""
    return jnp.mean(in_float32_at_least(values), axis=0)

"""Code that runs on each device's own part of the batch, for what `shard` cannot say."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
from jax.sharding import Mesh, PartitionSpec

Function = TypeVar("Function", bound=Callable[..., Any])


def per_device(function: Function, mesh: Mesh) -> Function:
    """Returns `function` evaluated on every device's share of the batch, and averaged.

    Use it where a device must be seen: batch statistics per device, as PyTorch's data parallelism
    has them; collectives of one's own over the axis "data"; a kernel that the compiler cannot
    split. Everything else is simpler, and independent of the number of devices, under `shard`.

    Differentiate the result, never `function` itself within: the gradient of the average is the
    average of the gradients, whereas averaging the gradients of each device inside `jax.shard_map`
    gives them N times too large. (Params are the same on all N devices, so that their gradient
    there is already summed over the devices.)

    Args:
      function: `(*whole, key, batch) -> arrays`, such as a `Loss` or a `PlayerLoss`; each device
        calls it with the same `whole`, a key of its own and its share of the batch. What it
        returns, batch statistics and info included, is averaged over the devices.
      mesh: with an axis "data".
    Raises:
      ValueError: the mesh has no axis "data", or does not divide the batch.
    Example:
      >>> def loss(params, key, batch):
      ...     return jnp.mean((batch - params) ** 2), {
      ...         "spread": jnp.std(batch)
      ...     }  # of each device's own
      >>> of_devices = jax.jit(per_device(loss, data_mesh(1)))
      >>> value, info = of_devices(jnp.float32(1.0), jax.random.key(0), jnp.array([0.0, 2.0]))
      >>> float(value), float(info["spread"])
      (1.0, 1.0)
    Source: jax's documentation of shard_map, on `check_vma` and the transposition of `pmean`.
    """
    if "data" not in mesh.shape:
        raise ValueError(f'mesh: got the axes {mesh.axis_names}, expected one named "data"')
    whole, split = PartitionSpec(), PartitionSpec("data")

    def local(whole: Any, key: jax.Array, batch: Any) -> Any:
        arguments, step = whole
        own_key = jax.random.fold_in(key, jax.lax.axis_index("data"))
        return jax.lax.pmean(function(*arguments, own_key, batch, **step), "data")

    shares = jax.shard_map(local, mesh=mesh, in_specs=(whole, whole, split), out_specs=whole)

    @functools.wraps(function)  # its signature too, which says whether it sees the step
    def averaged(*arguments: Any, **step: Any) -> Any:
        *rest, key, batch = arguments
        for array in jax.tree.leaves(batch):
            if array.ndim == 0 or array.shape[0] % mesh.shape["data"]:
                raise ValueError(
                    f"batch: got an array of shape {array.shape}, expected a leading axis "
                    f"divisible by the {mesh.shape['data']} devices"
                )
        return shares((tuple(rest), step), key, batch)

    return averaged  # type: ignore[return-value]

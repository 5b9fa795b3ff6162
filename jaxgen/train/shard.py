"""The same update on many devices: the batch is split, the state is whole on each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgen.checks import at_least
from jaxgen.train.processes import placed_by_all
from jaxgen.train.step import Update
from jaxgen.types import Info, Key


def data_mesh(num_devices: int | None = None, *, devices: Sequence[Any] | None = None) -> Mesh:
    """Returns a mesh of the first `num_devices` of `devices`, all of them by default, axis "data".

    Of several processes, each gives as many of `jax.devices()`.

    Args:
      num_devices: how many.
      devices: to choose from, of type `jax.Device`, `jax.devices()` by default; or descriptions of
        those that are not there, for which a program can be compiled all the same: see
        `jax.experimental.topologies`.
    Raises:
      ValueError: num_devices is below one, or more than there are, or no multiple of the processes;
        there is no device, or one comes twice, or they are of different platforms.
    Example:
      >>> mesh = data_mesh(1)
      >>> dict(mesh.shape)
      {'data': 1}
      >>> data_mesh(devices=jax.devices()[:1]) == mesh
      True
    """
    there = jax.devices() if devices is None else list(devices)
    platforms = {d.platform if isinstance(d, jax.Device) else None for d in there}
    if len(set(there)) != len(there) or len(platforms) != 1 or None in platforms:
        raise ValueError(f"devices: got {there}, expected different devices of one platform")
    count = len(there) if num_devices is None else at_least("num_devices", num_devices, 1)
    if count > len(there):
        raise ValueError(
            f"num_devices: got {count}, expected at most {len(there)}, the devices there are"
        )
    if devices is None:
        there = _of_each_process(there, count)
    # Explicit axes, the default, refuse the reshapes and gathers that losses are written with.
    return jax.make_mesh((count,), ("data",), axis_types=(AxisType.Auto,), devices=there[:count])


def _of_each_process(devices: list[Any], count: int) -> list[Any]:
    """Returns so many of the devices, of each process as many."""
    num_processes = jax.process_count()
    if count % num_processes:
        raise ValueError(
            f"num_devices: got {count}, expected a multiple of {num_processes}, the processes"
        )
    share = count // num_processes
    of = [[d for d in devices if d.process_index == i][:share] for i in range(num_processes)]
    return [device for own in of for device in own]


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Returns `tree` placed whole on each device of `mesh`, as `shard` wants its state and data.

    On a device that holds an array already, the memory is shared: what is donated is lost to both.
    Of a mesh over several processes, each must hold the same `tree`, and call this.

    Raises:
      ValueError: the processes hold different numbers.
    Example:
      >>> state = replicate(init_state(jnp.zeros(3), optax.adam(1e-3)), data_mesh(1))
      >>> state.params.sharding.is_fully_replicated
      True
    """
    whole = NamedSharding(mesh, PartitionSpec())
    return jax.device_put(tree, whole) if whole.is_fully_addressable else placed_by_all(tree, whole)


def shard(update: Update, mesh: Mesh) -> Update:
    """Returns `update`, data-parallel over the axis "data" of `mesh`.

    The meaning is that of one device: the loss sees the whole batch, means and batch statistics are
    global, random draws are the same numbers. Only the layout is fixed: every array of the batch
    split along its leading axis, the state whole on each device. The compiler adds the sums between
    devices, in another order than one device takes them: equal to rounding, not to the bit.

    Use it under `jit`, alone or inside `scan_epoch`. Place the state and the data on the mesh
    beforehand, with `replicate`: otherwise the data are copied to each device at every call, and
    the second call, whose state has moved, compiles again, on one device too.

    Raises:
      ValueError: `mesh` has no axis "data", or does not divide the batch.
    Example:
      >>> def loss(mean, key, batch):
      ...     return jnp.mean((batch - mean) ** 2), {}
      >>> mesh, sgd = data_mesh(1), optax.sgd(0.1)  # data_mesh() takes all devices
      >>> update = shard(gradient_step(loss, sgd), mesh)
      >>> state, data = replicate((init_state(jnp.float32(0.0), sgd), jnp.ones(8)), mesh)
      >>> epoch = jax.jit(scan_epoch(update, 4), donate_argnums=0)
      >>> epoch(state, jax.random.key(0), data)[1]["loss"].tolist()
      [1.0, 0.64]
    """
    if "data" not in mesh.shape:
        raise ValueError(f'mesh: got the axes {mesh.axis_names}, expected one named "data"')
    num_devices = mesh.shape["data"]
    whole = NamedSharding(mesh, PartitionSpec())
    split = NamedSharding(mesh, PartitionSpec("data"))

    def sharded(state: Any, key: Key, batch: Any) -> tuple[Any, Info]:
        for array in jax.tree.leaves(batch):
            if array.ndim == 0 or array.shape[0] % num_devices:
                raise ValueError(
                    f"batch: got an array of shape {array.shape}, expected a leading axis "
                    f"divisible by the {num_devices} devices"
                )
        batch = jax.lax.with_sharding_constraint(batch, split)
        state = jax.lax.with_sharding_constraint(state, whole)
        state, info = update(state, key, batch)
        return jax.lax.with_sharding_constraint(state, whole), info

    return sharded

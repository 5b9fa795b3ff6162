"""Rows of arrays on the host, and the way to the devices, split as `shard` splits a batch."""

from __future__ import annotations

import mmap
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


class Layout(NamedTuple):
    """Where the batches of a chunk go: all to one device, or a share of each to every device.

    Attributes:
      batch_size: datapoints of one batch.
      mesh: of the devices that share it; None for the default device.
    """

    batch_size: int
    mesh: Mesh | None

    def read(self, array: Any, order: np.ndarray) -> dict[int, np.ndarray]:
        """Returns the rows that this process computes on, by where in a batch they begin.

        It computes nothing with JAX, so that a thread may call it.

        Args:
          array: has a shape and gives the rows of an array of indices.
          order: the datapoints of each batch, [steps, batch].
        """
        shares = {self._begin(index[1]): index[1] for index in self._indices()}
        return {begin: _rows(array, order[:, share]) for begin, share in shares.items()}

    def place(self, read: dict[int, np.ndarray]) -> jax.Array:
        """Returns the batches, [steps, batch, ...], of the rows that were read."""
        if self._split is None:
            return jax.device_put(read[0])
        steps, _, *rest = next(iter(read.values())).shape
        whole = (steps, self.batch_size, *rest)

        def share(index: Any) -> np.ndarray:
            return read[self._begin(index[1])]

        return jax.make_array_from_callback(whole, self._split, share)

    @property
    def _split(self) -> NamedSharding | None:
        return None if self.mesh is None else NamedSharding(self.mesh, PartitionSpec(None, "data"))

    def _indices(self) -> list[tuple[slice, ...]]:
        if self._split is None:
            return [(slice(None), slice(None))]
        whole = (1, self.batch_size)
        return [
            index for index in self._split.addressable_devices_indices_map(whole).values() if index
        ]

    def _begin(self, share: slice) -> int:
        return share.indices(self.batch_size)[0]


_ROWS = 64
"""Of a mapped file between two times that its memory is given back."""


def _rows(array: Any, order: np.ndarray) -> np.ndarray:
    at, shape = order.ravel(), (*order.shape, *array.shape[1:])
    mapped = _map_of(array)
    if mapped is None:
        return np.asarray(array[at]).reshape(shape)
    rows = np.empty((at.size, *array.shape[1:]), array.dtype)
    for begin in range(0, at.size, _ROWS):
        rows[begin : begin + _ROWS] = array[at[begin : begin + _ROWS]]
        # Pages count as the process's once touched, up to 2 MiB around each row. The next rows come
        # from the system's cache of the file, or from the disk.
        mapped.madvise(mmap.MADV_DONTNEED)
    return rows.reshape(shape)


def _map_of(array: Any) -> mmap.mmap | None:
    """Returns the mapped file that an array is read from, if its pages can be given back."""
    writable = True
    while isinstance(array, np.ndarray):
        array, writable = array.base, array.flags.writeable
    # Of a map that may be written, the pages may hold what no file does.
    able = isinstance(array, mmap.mmap) and not writable and hasattr(array, "madvise")
    return array if able else None

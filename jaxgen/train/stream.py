"""An epoch over data that do not fit the device: chunks of batches, read while others compute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxgen.checks import at_least
from jaxgen.train.epoch import Epoch, order_and_keys
from jaxgen.train.host_rows import Layout
from jaxgen.train.loss import leading_axis
from jaxgen.train.shard import shard
from jaxgen.train.step import Update
from jaxgen.types import Info, Key

CHUNK_BYTES = 2**25
"""Of the data in a chunk, unless its steps are given."""


class Chunk(NamedTuple):
    """Where an epoch stands after some of its updates.

    Attributes:
      step: updates of this epoch that are done.
      state: after them; the next chunk takes its memory, so save or copy it before.
      infos: of the updates of this chunk, with a leading axis of steps.

    Example:
      >>> chunks = stream_chunks(lambda state, key, batch: (state + 1, {}), batch_size=2)
      >>> chunk = next(chunks(0, jax.random.key(0), np.zeros(8)))
      >>> chunk.step, int(chunk.state)
      (4, 4)
    """

    step: int
    state: Any
    infos: Info


Chunks: TypeAlias = Callable[..., Iterator[Chunk]]
"""`(state, key, data, start=0) -> chunks` of the epoch, from its update `start` on."""


def stream_epoch(
    update: Update,
    batch_size: int,
    *,
    steps_per_chunk: int | None = None,
    mesh: Mesh | None = None,
) -> Epoch:
    """Returns the epoch that `scan_epoch` is, to the bit, over data that stay on the host.

    The data are a pytree of array-likes with one leading axis: NumPy's, mapped files, or anything
    that has a shape and a dtype and gives the rows of an array of indices. A thread reads chunks of
    batches, and each is one compiled scan. At most three chunks are in memory: one that computes,
    one that waits for the device and one that is read. An error of the reader is raised here.

    It compiles by itself, for two lengths of a chunk at most; do not jit it. The state is donated.

    Args:
      update: `(state, key, batch) -> (state, info)`; one function object compiles once.
      batch_size: datapoints per update.
      steps_per_chunk: updates in a chunk, or one less; by default about 32 MiB of data.
      mesh: devices that share each batch, as `shard` has it; place the state with `replicate`. Each
        process reads what its own devices need.
    Raises:
      ValueError: batch_size or steps_per_chunk is below one; the devices do not divide batch_size,
        or `mesh` has no axis "data"; at the call, as `scan_epoch`.
    Example:
      >>> def loss(mean, key, batch):
      ...     return jnp.mean((batch - mean) ** 2), {}
      >>> sgd = optax.sgd(0.1)
      >>> epoch = stream_epoch(gradient_step(loss, sgd), batch_size=2)
      >>> x = np.ones(7, np.float32)  # or np.load("x.npy", mmap_mode="r")
      >>> state, infos = epoch(init_state(jnp.float32(0.0), sgd), jax.random.key(0), x)
      >>> infos["loss"].tolist()  # of three batches; one datapoint was left out
      [1.0, 0.64, 0.4096]
    """
    chunks = stream_chunks(update, batch_size, steps_per_chunk=steps_per_chunk, mesh=mesh)

    def epoch(state: Any, key: Key, data: Any) -> tuple[Any, Info]:
        infos = []
        for chunk in chunks(state, key, data):
            state = chunk.state
            infos.append(chunk.infos)
        return state, jax.tree.map(lambda *parts: jnp.concatenate(parts), *infos)

    return epoch


def stream_chunks(
    update: Update,
    batch_size: int,
    *,
    steps_per_chunk: int | None = None,
    mesh: Mesh | None = None,
) -> Chunks:
    """Returns the epoch of `stream_epoch` chunk by chunk, which may stop and begin at any step.

    What is left off at `step` goes on from it with the state and the key of the epoch, and ends as
    if it had never stopped, to the bit. Chunks end at the same steps wherever one begins. The
    reading thread ends with the iteration, or when its generator is closed or forgotten.

    Args:
      update, batch_size, steps_per_chunk, mesh: as for `stream_epoch`.
    Raises:
      ValueError: as `stream_epoch`; at the iteration, if `start` is negative or above the steps of
        the epoch.
    Example:
      >>> def update(state, key, batch):
      ...     return state + 1, {"sum": batch.sum()}
      >>> chunks = stream_chunks(update, batch_size=2, steps_per_chunk=2)
      >>> x, key = np.arange(9), jax.random.key(0)
      >>> [(step, int(state)) for step, state, infos in chunks(0, jax.random.clone(key), x)]
      [(2, 2), (4, 4)]
      >>> [step for step, *_ in chunks(2, jax.random.clone(key), x, start=2)]  # the last chunk
      [4]
    """
    batch_size = at_least("batch_size", batch_size, 1)
    if steps_per_chunk is not None:
        steps_per_chunk = at_least("steps_per_chunk", steps_per_chunk, 1)
    if mesh is not None:
        shard(update, mesh)  # refuses what is no such mesh
        if batch_size % mesh.shape["data"]:
            raise ValueError(
                f"batch_size: got {batch_size}, expected a multiple of {mesh.shape['data']}, the "
                "devices"
            )
    layout = Layout(batch_size, mesh)

    def chunks(state: Any, key: Key, data: Any, start: int = 0) -> Iterator[Chunk]:
        impl = jax.random.key_impl(key)
        size = leading_axis("data", data)
        order, rows = map(np.asarray, _drawn(key, size, batch_size))
        last = len(order)
        if at_least("start", start, 0) > last:
            raise ValueError(f"start: got {start}, expected at most {last}, the steps of the epoch")
        whole = steps_per_chunk or max(2, CHUNK_BYTES * size // (batch_size * _bytes(data) + 1))
        # As even as can be: one step left over would be compiled as no loop, and round otherwise.
        parts = -(-last // whole)
        ends = [end for part in range(parts) if (end := last * (part + 1) // parts) > start]
        spans = list(zip([start, *ends], ends, strict=False))

        def read(span: tuple[int, int]) -> Any:
            return jax.tree.map(lambda array: layout.read(array, order[slice(*span)]), data)

        reader = ThreadPoolExecutor(1, "read-ahead")
        try:
            ahead = [reader.submit(read, span) for span in spans[:1]]
            for i, (begin, end) in enumerate(spans):
                rows_read = ahead.pop().result()
                ahead += [reader.submit(read, span) for span in spans[i + 1 : i + 2]]
                batches = jax.tree.map(lambda _, parts: layout.place(parts), data, rows_read)
                del rows_read
                jax.block_until_ready(state)  # no more than two chunks are ever on the device
                state, infos = _scan(
                    state, rows[begin:end], batches, update=update, impl=impl, mesh=mesh
                )
                del batches
                yield Chunk(end, state, infos)
        finally:
            reader.shutdown(cancel_futures=True)

    return chunks


@partial(jax.jit, static_argnums=(1, 2))
def _drawn(key: Key, size: int, batch_size: int) -> tuple[jax.Array, jax.Array]:
    order, keys = order_and_keys(key, size, batch_size)
    return order, jax.random.key_data(keys)


@partial(jax.jit, static_argnames=("update", "impl", "mesh"), donate_argnames="state")
def _scan(
    state: Any, rows: jax.Array, batches: Any, *, update: Update, impl: Any, mesh: Mesh | None
) -> tuple[Any, Info]:
    """Returns the state after the updates of a chunk; one program for all epochs of one update."""
    step = update if mesh is None else shard(update, mesh)

    def body(state: Any, at: tuple[jax.Array, Any]) -> tuple[Any, Info]:
        row, batch = at
        return step(state, jax.random.wrap_key_data(row, impl=impl), batch)

    return jax.lax.scan(body, state, (rows, batches))


def _bytes(data: Any) -> int:
    arrays = jax.tree.leaves(data)
    return sum(int(np.prod(array.shape)) * np.dtype(array.dtype).itemsize for array in arrays)

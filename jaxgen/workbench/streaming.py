"""Training on data that stay on the host: when, and how an epoch of it is stopped and resumed."""

from __future__ import annotations

import functools
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxgen.array_checks import arrays
from jaxgen.train import Update, agree_on_largest, replicate, scan_epoch, stream_chunks
from jaxgen.types import Info, Key
from jaxgen.workbench.config import TrainingConfig
from jaxgen.workbench.data_forms import Draws, Sets
from jaxgen.workbench.errors import Interrupted
from jaxgen.workbench.halfway import Halfway, last_halfway, save_halfway, within_reach
from jaxgen.workbench.interrupt import agreed_signal, deferred_interrupts
from jaxgen.workbench.run import Run

SECONDS_BETWEEN_SAVES = 60.0
"""Within an epoch."""


def is_streamed(data: Any, config: TrainingConfig) -> bool:
    """Returns whether `data` stay on the host: if --stream says so, or they are large.

    Large is what takes more than a quarter of a device's memory.

    Raises:
      ValueError: --stream is "always" of draws or several sets, which have no stream.
    Example:
      >>> is_streamed(np.zeros((1000, 28, 28, 1), np.uint8), ImageConfig(stream="auto"))
      False
    """
    choice = getattr(config, "stream", "auto")
    if isinstance(data, Draws | Sets):
        if choice == "always":
            raise ValueError(
                f"stream: got 'always' of data that are {type(data).__name__}, expected auto or "
                "never: only the batches of one set are streamed"
            )
        return False
    if choice != "auto":
        return choice == "always"
    arrays("data", data)
    size = sum(math.prod(a.shape) * np.dtype(a.dtype).itemsize for a in jax.tree.leaves(data))
    return size > device_memory() / 4


def device_memory() -> int:
    """Returns the bytes of a device's memory; on a CPU, of the machine's."""
    said = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in said:
        return said["bytes_limit"]
    if not hasattr(os, "sysconf"):  # Windows
        return sys.maxsize
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def streamed_epoch(
    run: Run, update: Callable[..., Any], data: Any, mesh: Mesh, table: Any, state: Any, key: Key
) -> Callable[[Any, Key, int], tuple[Any, Info]]:
    """Returns the epoch `(state, key, index) -> (state, infos)` whose data stay on the host.

    It is saved in its middle after every `SECONDS_BETWEEN_SAVES` and at a signal, where all epochs
    before it are saved, and goes on from there, to the bit; otherwise it ends first.

    Args:
      run: of a `TrainingConfig`; with `fall_back`, what was saved within an epoch is left alone.
      update: as `train` has it: with weights, a function from those of an epoch.
      data: a pytree of array-likes on the host.
      mesh: the devices that share each batch.
      table: the weights of all epochs, or None.
      state, key: as they will come; what is wrong in the loss is refused here.
    Raises:
      ValueError: as `stream_epoch`.
      Interrupted: at the call, a signal came, and the epoch was saved in its middle.
    """
    config = run.config
    assert isinstance(config, TrainingConfig)
    step = update if table is None else _weighted(update)
    # One device has nothing to lay out.
    chunks = stream_chunks(step, config.batch_size, mesh=None if mesh.size == 1 else mesh)

    def weighted(state: Any, index: int) -> Any:
        if table is None:
            return state
        return state, replicate(jax.tree.map(lambda rows: rows[index], table), mesh)

    # What the resident epoch would refuse is refused here.
    shapes = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, jax.dtypes.canonicalize_dtype(a.dtype)), data
    )
    resident = scan_epoch(step, config.batch_size)
    _, of_all = jax.eval_shape(resident, weighted(state, 0), key, shapes)

    steps = len(jax.tree.leaves(of_all)[0])

    def epoch(state: Any, key: Key, index: int) -> tuple[Any, Info]:
        directory, state, start, infos = run.directory, weighted(state, index), 0, []
        if not config.fall_back and (at := last_halfway(directory, index, state, of_all)):
            start, state, infos = at.step, at.state, [at.infos]
        last_save = time.monotonic()
        with deferred_interrupts() as interruption:
            for end, state, info in chunks(state, key, data, start=start):  # noqa: B020
                infos.append(info)
                signum = agreed_signal(interruption)  # read once, as in `fit`
                (late,) = agree_on_largest(time.monotonic() - last_save > SECONDS_BETWEEN_SAVES)
                if (signum or late) and end < steps and within_reach(directory, index):
                    save_halfway(directory, index, Halfway(end, state, _joined(infos)))
                    last_save = time.monotonic()
                    if signum:
                        saved = f"step {end} of {steps} of epoch {index + 1} is saved"
                        raise Interrupted(signum, directory.path, saved)
        return (state if table is None else state[0]), _joined(infos)

    return epoch


@functools.lru_cache
def _weighted(update: Callable[[Any], Update]) -> Update:
    """Returns the update whose state is a pair, of a state and weights, which stay."""

    def weighted(pair: tuple[Any, Any], key: Key, batch: Any) -> tuple[Any, Info]:
        state, weights = pair
        state, info = update(weights)(state, key, batch)
        return (state, weights), info

    return weighted


def _joined(infos: list[Info]) -> Info:
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *infos)

"""What the processes of one program agree on: process 0 acts, and all learn how it ended.

A program of several processes runs alike in each: all call these functions, in the same order. The
engine is JAX's own: `jax.distributed` and the collectives of `jax.experimental.multihost_utils`.
In a program of one process nothing is sent.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Sharding

from jaxgen.train.manifest import CheckpointError
from jaxgen.train.named_leaves import is_key, placed, plain

Value = TypeVar("Value")


_JSON, _ARRAYS, _FAILED = b"=", b"#", b"!"
_KINDS = (CheckpointError, ValueError, OSError, RuntimeError)
"""Of failures that are told; any other is told as the last of them."""
_FIRST, _LARGEST = 256, 2**26
"""Bytes that are sent at once: with their number, and of what is longer."""


def on_first_process(action: Callable[[], Value]) -> Value:
    """Returns in all processes what `action` returns in process 0, where alone it is called.

    What fails there fails everywhere, with the same kind of error and the same message: a full disk
    leaves no process waiting.

    Args:
      action: returns what JSON holds, or a list of NumPy arrays; it must call nothing that all
        processes take part in.
    Example:
      >>> on_first_process(lambda: {"step": 3})
      {'step': 3}
    """
    if not _several():
        return action()
    if jax.process_index():
        return _understood(_broadcast(b""))
    try:
        value = action()
        said = _put_in_bytes(value)
    except Exception as error:
        kind = next((i for i, kind in enumerate(_KINDS) if isinstance(error, kind)), -1)
        _broadcast(_FAILED + json.dumps([kind, str(error)]).encode())
        raise
    _broadcast(said)
    return value


def agree_on_largest(*numbers: int) -> tuple[int, ...]:
    """Returns the largest of each number over all processes.

    Whatever one process wants, such as to stop for a signal that it alone was sent, all then want.

    Example:
      >>> agree_on_largest(False, 15)
      (0, 15)
    """
    if not _several():
        return tuple(map(int, numbers))
    gathered = multihost_utils.process_allgather(np.asarray(numbers, np.int32))
    return tuple(map(int, gathered.max(axis=0)))


def placed_by_all(tree: Any, sharding: Sharding) -> Any:
    """Returns `tree`, of which every process holds the whole, on devices of several processes.

    Raises:
      ValueError: the processes hold different numbers.
    """
    leaves, structure = jax.tree.flatten(tree)
    names = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(tree)]
    # What lies there already comes from a computation that all have taken part in.
    here = {
        i: leaf if isinstance(leaf, jax.Array) else np.asarray(leaf)
        for i, leaf in enumerate(leaves)
        if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable
    }
    arrays = {i: np.asarray(plain(leaf)) for i, leaf in here.items()}
    _refuse_different({names[i]: array for i, array in arrays.items()})
    for i, array in arrays.items():
        kept, array = here[i], array.astype(jax.dtypes.canonicalize_dtype(array.dtype))
        dtype = kept.dtype if is_key(kept) else array.dtype
        leaves[i] = placed(array, jax.ShapeDtypeStruct(kept.shape, dtype, sharding=sharding))
    return jax.tree.unflatten(structure, leaves)


def whole(array: jax.Array) -> jax.Array | np.ndarray:
    """Returns the array, gathered if this process holds a part of it alone."""
    if array.is_fully_addressable or array.is_fully_replicated:
        return array
    return multihost_utils.process_allgather(array, tiled=True)


def _refuse_different(arrays: dict[str, np.ndarray]) -> None:
    """Raises ValueError if another process holds an array that differs; it names the first."""
    contiguous = map(np.ascontiguousarray, arrays.values())
    sums = np.array([zlib.crc32(array.view(np.uint8).data) for array in contiguous], np.uint32)
    gathered = multihost_utils.process_allgather(sums)
    differs = (gathered != gathered[0]).any(axis=0)
    if differs.any():
        name = [*arrays][int(np.argmax(differs))]
        raise ValueError(
            f"tree: got other numbers in another process at {name}, expected the same in all"
        )


def _put_in_bytes(value: Any) -> bytes:
    if not isinstance(value, list) or not all(isinstance(item, np.ndarray) for item in value):
        return _JSON + json.dumps(value).encode()
    file = io.BytesIO()
    np.savez(file, *value)
    return _ARRAYS + file.getvalue()


def _understood(told: bytes) -> Any:
    """Returns what process 0 has put in bytes; raises what has failed there."""
    kind, content = told[:1], told[1:]
    if kind == _FAILED:
        which, message = json.loads(content)
        raise _KINDS[which](message)
    if kind == _JSON:
        return json.loads(content)
    with np.load(io.BytesIO(content)) as arrays:
        return [arrays[name] for name in arrays.files]


def _several() -> bool:
    # The first asks no backend to start.
    return jax.distributed.is_initialized() and jax.process_count() > 1


def _broadcast(said: bytes) -> bytes:
    """Returns what process 0 says; of the others, whatever they say is dropped."""
    frame = len(said).to_bytes(8, "little") + said[: _FIRST - 8]
    frame = _sent(frame, _FIRST)
    size, told = int.from_bytes(frame[:8], "little"), frame[8:]
    rest = said[_FIRST - 8 :]
    while (missing := size - len(told)) > 0:
        # Few lengths are few programs.
        length = min(_LARGEST, 1 << (missing - 1).bit_length())
        told, rest = told + _sent(rest[:length], length), rest[length:]
    return told[:size]


def _sent(piece: bytes, length: int) -> bytes:
    piece = piece[:length].ljust(length, b"\0")
    return multihost_utils.broadcast_one_to_all(np.frombuffer(piece, np.uint8)).tobytes()

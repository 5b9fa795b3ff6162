"""Decoded arrays kept on disk: checksummed, rebuilt when damaged or stale, never unpickled."""

from __future__ import annotations

import contextlib
import io
import os
import uuid
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np

from jaxgen.data.splits import Arrays

_DIGEST_BYTES = sha256().digest_size


def cached(folder: Path, stem: str, origin: str, build: Callable[[], Arrays]) -> Arrays:
    """Returns `build()`, or what an earlier call with the same `origin` kept of it.

    The file is two `.npy` arrays, images and labels (empty if there are none), and the SHA-256 of
    `origin` and these bytes: one comparison finds a damaged file and a changed origin, before
    anything in it is parsed. It lies in `folder`, or under the user's cache directory where
    `folder` is read-only; if no place can be written, a warning says so and nothing is kept.

    Args:
      folder: where the data come from.
      stem: the file's name, without its ending.
      origin: everything that the result depends on, in words.
      build: makes the arrays.
    """
    from platformdirs import user_cache_path

    # Two folders may hold sets of one name, so the user's cache tells them apart.
    elsewhere = user_cache_path("jaxgen") / sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    paths = [folder / f"{stem}.npy", elsewhere / f"{stem}.npy"]
    for path in paths:
        if (arrays := _read(path, origin)) is not None:
            return arrays
    arrays = build()
    if not any(_write(path, origin, arrays) for path in paths):
        warnings.warn(
            f"the decoded images could be kept neither in {paths[0].parent} nor in "
            f"{paths[1].parent}: the next load decodes them again",
            RuntimeWarning,
            stacklevel=2,
        )
    return arrays


def _digest(origin: str, content: bytes | memoryview) -> bytes:
    digest = sha256(origin.encode() + b"\0")
    digest.update(content)
    return digest.digest()


def _read(path: Path, origin: str) -> Arrays | None:
    try:
        blob = path.read_bytes()
    except OSError:
        return None
    content = memoryview(blob)[:-_DIGEST_BYTES]
    if _digest(origin, content) != blob[-_DIGEST_BYTES:]:
        return None
    stream = io.BytesIO(blob)
    images, labels = np.load(stream), np.load(stream)
    return Arrays(images, labels if len(labels) else None)


def _write(path: Path, origin: str, arrays: Arrays) -> bool:
    stream = io.BytesIO()
    np.save(stream, arrays.images)
    np.save(stream, np.empty(0, np.int32) if arrays.labels is None else arrays.labels)
    content = stream.getvalue()
    # Beside the file and renamed into place: a reader sees the whole of it or nothing.
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.parent.stat().st_mode & 0o222:
            return False  # marked read-only, which by itself would not stop the superuser
        partial.write_bytes(content + _digest(origin, content))
        os.replace(partial, path)
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    return True

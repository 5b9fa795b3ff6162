"""Decoded arrays kept on disk: checksummed, rebuilt when damaged or stale, never unpickled."""

from __future__ import annotations

import contextlib
import os
import uuid
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgen.data.splits import Arrays

_DIGEST_BYTES = sha256().digest_size
_BLOCK = 2**22


def cached(folder: Path, stem: str, origin: str, build: Callable[[], Arrays]) -> Arrays:
    """Returns `build()`, or what an earlier call with the same `origin` kept of it.

    The images are mapped from the file: they take memory as they are used, and cannot be changed.

    The file is two `.npy` arrays, images and labels (empty if there are none), and the SHA-256 of
    `origin` and these bytes: one comparison finds a damaged file and a changed origin, before
    anything in it is parsed. It is made once; a stamp beside the file then says for which size and
    time of it. The file lies under JAXGEN_CACHE_DIR, or else the user's cache directory. If that
    cannot be written, a warning says so and nothing is kept.

    Args:
      folder: where the data come from; nothing is written there.
      stem: the file's name, without its ending.
      origin: everything that the result depends on, in words.
      build: makes the arrays.
    """
    # Two folders may hold sets of one name.
    place = cache_directory() / sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    file = _File(place / f"{stem}.npy", origin)
    if file.is_intact():
        return file.mapped()
    arrays = build()
    if file.write(arrays):
        return file.mapped()
    warnings.warn(
        f"the decoded images could not be kept in {place}: the next load decodes them again; "
        "JAXGEN_CACHE_DIR may name another place",
        RuntimeWarning,
        stacklevel=2,
    )
    return arrays


def cache_directory() -> Path:
    """Returns where what can be made again is kept: JAXGEN_CACHE_DIR, else the user's."""
    from platformdirs import user_cache_path

    named = os.environ.get("JAXGEN_CACHE_DIR")
    return Path(named).expanduser() if named else user_cache_path("jaxgen")


class _File(NamedTuple):
    path: Path
    origin: str

    @property
    def stamp(self) -> Path:
        return self.path.with_name(f".{self.path.name}.checked")

    def is_intact(self) -> bool:
        """Whether its digest is that of `origin` and its bytes; reads them all the first time."""
        try:
            with self.path.open("rb") as stream:
                status = os.stat(stream.fileno())
                stream.seek(max(0, status.st_size - _DIGEST_BYTES))
                end = stream.read()
                said = self._said(status, end)
                with contextlib.suppress(OSError):
                    if self.stamp.read_text() == said:
                        return True
                stream.seek(0)
                if self._digest(stream, status.st_size - _DIGEST_BYTES) != end:
                    return False
        except OSError:
            return False
        with contextlib.suppress(OSError):
            self.stamp.write_text(said)
        return True

    def mapped(self) -> Arrays:
        """Returns what it holds; to be called once it is intact."""
        images: Any = np.load(self.path, mmap_mode="r")
        with self.path.open("rb") as stream:
            stream.seek(images.offset + images.nbytes)
            labels = np.load(stream)
        return Arrays(images, labels if len(labels) else None)

    def write(self, arrays: Arrays) -> bool:
        """Returns whether it could be written, with its stamp."""
        # Beside the file and renamed into place: a reader sees the whole of it or nothing.
        partial = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("xb") as stream:
                np.save(stream, arrays.images)
                np.save(stream, np.empty(0, np.int32) if arrays.labels is None else arrays.labels)
            with partial.open("r+b") as stream:
                end = self._digest(stream, os.stat(stream.fileno()).st_size)
                stream.write(end)
            # Set back: a change within the same tick of the clock gives it another time, too.
            written = partial.stat()
            os.utime(partial, ns=(written.st_atime_ns, written.st_mtime_ns - 10**10))
            said = self._said(partial.stat(), end)
            os.replace(partial, self.path)
            self.stamp.write_text(said)
        except OSError:
            return False
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()
        return True

    def _digest(self, stream: Any, size: int) -> bytes:
        """Returns that of `origin` and the next `size` bytes."""
        digest = sha256(self.origin.encode() + b"\0")
        while size > 0 and (block := stream.read(min(size, _BLOCK))):
            digest.update(block)
            size -= len(block)
        return digest.digest()

    def _said(self, status: os.stat_result, end: bytes) -> str:
        """Returns the stamp of a file of that size and time that ends with a right digest."""
        facts = [self.origin, status.st_size, status.st_mtime_ns, end.hex()]
        return sha256("\0".join(map(str, facts)).encode()).hexdigest()

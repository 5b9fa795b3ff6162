"""The directory that holds all there is of a run, safe against kills, typos and second runs.

config.json     what was asked, written first
metrics.jsonl   one record per epoch, in a line of that number, appended as it happens
result.json     the numbers at the end
pictures/*.png
checkpoints/    left to whoever saves them
trained/        likewise: the params at the end
PART/           of a run of several trainings, one each, with all of these but config.json

Of a run in several processes, process 0 alone reads and writes it, and tells the others.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from jaxgen.train import on_first_process
from jaxgen.workbench.records import to_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """An open run; `open_run` makes one. Records and results may hold NumPy and JAX numbers.

    A number that is not finite is written as null: JSON has no NaN, and a reader that fails on the
    file would hide the rest of it.

    Example:
      >>> run = open_run("runs/recorded", RunConfig())
      >>> run.record({"epoch": 1, "elbo": np.float32(-93.5)})
      >>> run.metrics()
      [{'epoch': 1, 'elbo': -93.5}]
    """

    path: Path
    lock: FileLock | None = dataclasses.field(default=None, repr=False, compare=False)
    """Held as long as the run is open, so that no other process writes into it."""
    config: Any = dataclasses.field(default=None, repr=False, compare=False)
    """The recipe's; what a checkpoint of this run must have been saved under."""
    part: str = ""
    """Of a run of several trainings, which one."""

    def of_part(self, name: str) -> RunDirectory:
        """Returns the directory of one of several trainings, made if it is not there."""
        path = self.path / name
        on_first_process(lambda: path.mkdir(exist_ok=True))
        part = f"{self.part}/{name}" if self.part else name
        return dataclasses.replace(self, path=path, part=part)

    @property
    def checkpoints(self) -> Path:
        """The absolute path for checkpoints; not made here."""
        return self.path / "checkpoints"

    @property
    def trained(self) -> Path:
        """The absolute path for what the training ends with, without the optimizer's state.

        Example:
          >>> _, params = restore(run.trained, jax.eval_shape(model.init, jax.random.key(0)))
        """
        return self.path / "trained"

    @property
    def _records(self) -> Path:
        return self.path / "metrics.jsonl"

    def record(self, metrics: Mapping[str, Any]) -> None:
        """Appends one record to metrics.jsonl; the first is of epoch 1, the next of epoch 2."""

        def append() -> None:
            with open(self._records, "a", encoding="utf-8") as file:
                file.write(to_json(metrics) + "\n")

        on_first_process(append)

    def metrics(self) -> list[dict[str, Any]]:
        """Returns the records so far; a last line torn by a kill is left out."""
        return on_first_process(lambda: [json.loads(line) for line in self._lines()])

    def rewind(self, epoch: int) -> list[dict[str, Any]]:
        """Drops the records after `epoch` (epochs count from 1) and returns those kept.

        A resumed run calls it with the epoch of its checkpoint, 0 if it found none: a kill between
        a record and its checkpoint would otherwise leave an epoch in the file twice.
        """

        def drop() -> None:
            with replacing(self._records) as temporary:
                temporary.write_bytes(b"".join(self._lines()[:epoch]))

        on_first_process(drop)
        return self.metrics()

    def digest(self, epoch: int) -> str:
        """Returns the SHA-256 of the records up to `epoch`, as they stand in the file."""
        return on_first_process(lambda: _digest(b"".join(self._lines()[:epoch])))

    def seal(self) -> str:
        """Has the records so far written to the disk itself, and returns their SHA-256."""

        def flush() -> str:
            _flush(self._records)
            _flush(self.path)
            return _digest(self._records.read_bytes())

        return on_first_process(flush)

    def _lines(self) -> list[bytes]:
        content = self._records.read_bytes() if self._records.exists() else b""
        return [line for line in content.splitlines(keepends=True) if line.endswith(b"\n")]

    def write_result(self, result: Mapping[str, Any]) -> Path:
        """Writes result.json and returns its path."""
        path = self.path / "result.json"

        def write() -> None:
            with replacing(path) as temporary:
                temporary.write_text(to_json(result, indent=2) + "\n", encoding="utf-8")

        on_first_process(write)
        return path

    def save_picture(self, name: str, figure: Figure) -> Path:
        """Writes pictures/NAME.png and returns its path.

        Raises:
          ValueError: `name` is more than one plain file name.
        Example:
          >>> run.save_picture("samples", image_grid(images, title="Samples"))
        """
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise ValueError(f"name: got {name!r}, expected letters, digits, '_', '-' and '.'")
        path = self.path / "pictures" / f"{name}.png"

        def write() -> None:
            path.parent.mkdir(exist_ok=True)
            with replacing(path) as temporary:
                figure.savefig(temporary, format="png")

        on_first_process(write)
        return path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path that takes the place of `path` at once, if the block succeeds."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _flush(path: Path) -> None:
    """Has a file or folder written to the disk itself, lest a power cut take it."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)

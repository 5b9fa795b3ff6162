"""What was seen of a training after every epoch: one small file each, beside the checkpoints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgen.train import CheckpointError, on_first_process


class Frames:
    """Arrays of every epoch, 0 for before the first.

    A file an epoch keeps them out of the state, so that a training may be prolonged; a resumed one
    writes again, to the bit, what it sees again.

    Args:
      path: the folder, made here.
      template: a pytree of arrays, or of their shapes, such as every epoch keeps.

    Example:
      >>> frames = Frames(run.directory.path / "frames", first)
      >>> frames.keep(0, first)
      >>> frames.stacked(12)  # epochs 0 to 12
    """

    def __init__(self, path: Path, template: Any):
        self._path = path
        self._structure = jax.tree.structure(template)
        on_first_process(lambda: path.mkdir(exist_ok=True))

    def keep(self, epoch: int, frame: Any) -> None:
        """Writes what was seen after `epoch`."""
        path = self._file(epoch)
        temporary = path.with_name(f".{path.name}")

        def write() -> None:
            with open(temporary, "wb") as file:
                np.savez(file, *map(np.asarray, jax.tree.leaves(frame)))
            os.replace(temporary, path)

        on_first_process(write)

    def refuse_missing(self, last: int) -> None:
        """Checks that there is a frame of each of the epochs 0 to `last`.

        Raises:
          CheckpointError: there is none of one: nobody can see it again.
        """
        files = map(self._file, range(last + 1))
        missing = on_first_process(lambda: [str(file) for file in files if not file.is_file()])
        if missing:
            raise CheckpointError(
                f"{missing[0]}: missing, though a checkpoint of epoch {last} is there; expected a "
                "new run_dir"
            )

    def stacked(self, last: int) -> Any:
        """Returns the frames of the epochs 0 to `last`, on a leading axis."""

        def read() -> list[np.ndarray]:
            frames = []
            for epoch in range(last + 1):
                with np.load(self._file(epoch)) as file:
                    frames.append([file[name] for name in file.files])
            return [np.stack(row) for row in zip(*frames, strict=True)]

        return jax.tree.unflatten(self._structure, on_first_process(read))

    def _file(self, epoch: int) -> Path:
        return self._path / f"{epoch:06}.npz"

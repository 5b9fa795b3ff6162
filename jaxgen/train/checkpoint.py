"""Checkpoints of pytrees, exact to the bit: whole or absent, and refused once a byte has changed.

The folder of a step holds `arrays.npz`, which NumPy reads without this library: the leaves in the
order of the tree. The manifest (see `manifest`) says the path, dtype and shape of each. Not orbax:
it keeps some kilobytes for every save, and writes nothing, silently, where the path has `[`.

In a program of several processes all call these functions alike. Process 0 alone reads and writes
the directory, and tells the others what it found or why it failed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgen.checks import at_least
from jaxgen.train.manifest import (
    CheckpointError,
    commit,
    committed_steps,
    intact,
    intact_manifest,
    manifest_of,
    new_folder,
    root_of,
)
from jaxgen.train.named_leaves import (
    describe,
    kept_dtypes,
    named_leaves,
    placed,
    plain,
    same_leaves,
    within,
)
from jaxgen.train.processes import on_first_process, whole

ARRAYS = "arrays.npz"


def save(
    directory: str | os.PathLike[str],
    step: int,
    tree: Any,
    *,
    keep: int = 2,
    note: Mapping[str, Any] | None = None,
) -> None:
    """Writes `tree` as the checkpoint of `step`, the latest from now on.

    A kill at any moment leaves the previous checkpoints, this one, or both complete. Saving a step
    again replaces it. Afterwards only the last `keep` checkpoints remain; those of later steps,
    from a run that this one goes back behind, are removed too.

    Args:
      directory: where the checkpoints of one run live; made if absent.
      step: what to call this one, at least zero.
      tree: any pytree of `jax.Array`, typed keys included.
      keep: how many checkpoints to keep, this one included.
      note: what shall be known of it besides, under the same digest: values of JSON, which
        `read_note` returns.
    Raises:
      ValueError: step or keep is too small, directory is a file, a leaf is no `jax.Array`, or JSON
        does not hold the note.
    Example:
      >>> import tempfile
      >>> directory = tempfile.mkdtemp()
      >>> state = init_state(jnp.ones(3), optax.adam(1e-3))
      >>> save(directory, int(state.step), {"state": state, "key": jax.random.key(0)})
      >>> latest_step(directory)
      0
    """
    step, keep = at_least("step", step, 0), at_least("keep", keep, 1)
    leaves = named_leaves("tree", tree, jax.Array)
    said = {"leaves": {name: describe(leaf) for name, leaf in leaves.items()}, "note": note or {}}
    try:
        json.dumps(said, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"note: got {note!r}, expected values of JSON ({error})") from None
    arrays = [whole(plain(leaf)) for leaf in leaves.values()]

    def write() -> None:
        root = root_of(directory)
        root.mkdir(parents=True, exist_ok=True)
        folder = new_folder(root, step)
        folder.mkdir()
        np.savez(folder / ARRAYS, *map(np.asarray, arrays))
        commit(root, step, folder, said, keep=keep)

    on_first_process(write)


def restore(
    directory: str | os.PathLike[str], template: Any, *, step: int | None = None, part: str = ""
) -> tuple[int, Any]:
    """Reads the checkpoint of `step`, the latest by default, into the form of `template`.

    All of it, or a part alone, such as one player of a game for use in another program: then
    `template` is of that part, and the rest is neither read nor asked for.

    Every file is compared with its digest before anything is read, and every leaf's path, shape and
    dtype with the template's. Nothing is cast and nothing falls back: what cannot be restored as it
    was saved is refused, and the message says which other steps are intact.

    Args:
      directory: where `save` wrote.
      template: a pytree of arrays or `jax.ShapeDtypeStruct`, of the structure, shapes and dtypes
        that were saved. Arrays go where the template's are committed, be it one device or many,
        and to the default device otherwise.
      step: which checkpoint.
      part: the path, as `jax.tree_util.keystr` has it, of the part to read; "" for all.
    Returns:
      The step, and the tree or its part: equal to what was saved to the bit, in buffers that may
      be donated.
    Raises:
      CheckpointError: no such checkpoint or part, a damaged file, or another tree.
    Example:
      >>> import tempfile
      >>> directory, tree = tempfile.mkdtemp(), {"params": jnp.ones(3), "key": jax.random.key(0)}
      >>> save(directory, 7, tree)
      >>> step, saved = restore(directory, tree)
      >>> step, saved["params"].tolist()
      (7, [1.0, 1.0, 1.0])
      >>> _, params = restore(directory, jax.ShapeDtypeStruct((3,), jnp.float32), part="['params']")
    """
    wanted = named_leaves("template", template, jax.Array, jax.ShapeDtypeStruct, part=part)
    kept_dtypes(wanted)

    def read() -> list[np.ndarray]:
        root = root_of(directory)
        chosen = _chosen(root, step)
        manifest = intact_manifest(root, chosen)
        saved = manifest["leaves"]
        same_leaves({name: describe(leaf) for name, leaf in wanted.items()}, within(part, saved))
        place = {name: f"arr_{i}" for i, name in enumerate(saved)}
        with np.load(root / manifest["folder"] / ARRAYS) as arrays:
            return [np.asarray(chosen), *(arrays[place[name]] for name in wanted)]

    chosen, *arrays = on_first_process(read)
    leaves = [placed(*pair) for pair in zip(arrays, wanted.values(), strict=True)]
    return int(chosen), jax.tree.unflatten(jax.tree.structure(template), leaves)


def read_note(directory: str | os.PathLike[str], step: int | None = None) -> dict[str, Any]:
    """Returns the note that was saved with the checkpoint of `step`, the latest by default.

    The manifest alone is read and compared with its digest; the arrays may still prove damaged.

    Raises:
      CheckpointError: there is no such checkpoint, or its manifest is damaged.
    Example:
      >>> import tempfile, jax.numpy as jnp
      >>> from jaxgen.train import read_note, save
      >>> with tempfile.TemporaryDirectory() as run:
      ...     save(run, 3, {"w": jnp.zeros(2)}, note={"dataset": "digits"})
      ...     read_note(run)
      {'dataset': 'digits'}
    """

    def read() -> dict[str, Any]:
        root = root_of(directory)
        return manifest_of(root, _chosen(root, step))["note"]

    return on_first_process(read)


def _chosen(root: Path, step: int | None) -> int:
    """Returns the step to read, the last by default, if it is there."""
    steps = committed_steps(root)
    if not steps:
        raise CheckpointError(f"directory: got {root}, expected one that holds a checkpoint")
    if step is None:
        return steps[-1]
    if at_least("step", step, 0) not in steps:
        raise CheckpointError(f"step: got {step}, expected one of {', '.join(map(str, steps))}")
    return int(step)


def latest_step(directory: str | os.PathLike[str]) -> int | None:
    """Returns the last step that was saved completely, or None; it may still prove damaged.

    Example:
      >>> print(latest_step("no/such/directory"))
      None
    """
    return on_first_process(lambda: max(committed_steps(root_of(directory)), default=None))


def intact_steps(directory: str | os.PathLike[str]) -> list[int]:
    """Returns the steps that can be restored, rising: every file in them is as it was saved.

    Example:
      >>> import tempfile, jax.numpy as jnp
      >>> from jaxgen.train import intact_steps, save
      >>> with tempfile.TemporaryDirectory() as run:
      ...     save(run, 3, {"w": jnp.zeros(2)})
      ...     intact_steps(run)
      [3]
    """
    return on_first_process(lambda: intact(root_of(directory)))

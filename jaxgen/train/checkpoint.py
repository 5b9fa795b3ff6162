"""Checkpoints of pytrees, exact to the bit: whole or absent, and refused once a byte has changed.

The folder of a step holds the arrays as orbax writes them, one for each leaf, named by its path in
the tree; its manifest (see `manifest`) says the shape and dtype of each.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

import jax
import numpy as np

from jaxgen.checks import at_least
from jaxgen.train.manifest import (
    CheckpointError,
    commit,
    committed_steps,
    intact_manifest,
    new_folder,
    root_of,
)
from jaxgen.train.named_leaves import describe, named_leaves, placed, plain, same_leaves, within


def save(directory: str | os.PathLike[str], step: int, tree: Any, *, keep: int = 2) -> None:
    """Writes `tree` as the checkpoint of `step`, the latest from now on.

    A kill at any moment leaves the previous checkpoints, this one, or both complete. Saving a step
    again replaces it. Afterwards only the last `keep` checkpoints remain; those of later steps,
    from a run that this one goes back behind, are removed too.

    Args:
      directory: where the checkpoints of one run live; made if absent.
      step: what to call this one, at least zero.
      tree: any pytree of `jax.Array`, typed keys included.
      keep: how many checkpoints to keep, this one included.
    Raises:
      ValueError: step or keep is too small, directory is a file, or a leaf is no `jax.Array`.
    Example:
      >>> import tempfile
      >>> directory = tempfile.mkdtemp()
      >>> state = init_state(jnp.ones(3), optax.adam(1e-3))
      >>> save(directory, int(state.step), {"state": state, "key": jax.random.key(0)})
      >>> latest_step(directory)
      0
    """
    step, keep = at_least("step", step, 0), at_least("keep", keep, 1)
    root = root_of(directory)
    leaves = named_leaves("tree", tree, jax.Array)
    from orbax.checkpoint import v1

    root.mkdir(parents=True, exist_ok=True)
    folder = new_folder(root, step)
    # Orbax refuses arrays of size zero; shape and dtype are all there is to them.
    arrays = {name: plain(leaf) for name, leaf in leaves.items() if leaf.size}
    if arrays:
        v1.save(str(folder), arrays)
    else:
        folder.mkdir()
    said = {"leaves": {name: describe(leaf) for name, leaf in leaves.items()}}
    commit(root, step, folder, said, keep=keep)


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
    root = root_of(directory)
    steps = committed_steps(root)
    if not steps:
        raise CheckpointError(f"directory: got {root}, expected one that holds a checkpoint")
    if step is None:
        step = steps[-1]
    if step not in steps:
        raise CheckpointError(f"step: got {step}, expected one of {', '.join(map(str, steps))}")
    manifest = intact_manifest(root, step)
    wanted = named_leaves("template", template, jax.Array, jax.ShapeDtypeStruct, part=part)
    saved = within(part, manifest["leaves"])
    same_leaves({name: describe(leaf) for name, leaf in wanted.items()}, saved)

    from orbax.checkpoint import v1

    # Read into numpy, so that a leaf may go to other devices, or to none in particular.
    shapes = {name: jax.eval_shape(plain, leaf) for name, leaf in wanted.items() if leaf.size}
    host = {name: np.empty(leaf.shape, leaf.dtype) for name, leaf in shapes.items()}
    context = v1.Context()
    context.pytree.loading.partial_load = True
    with context if part else contextlib.nullcontext():
        loaded = v1.load(str(root / manifest["folder"]), host) if host else {}
    leaves = [placed(loaded.get(name), leaf) for name, leaf in wanted.items()]
    return step, jax.tree.unflatten(jax.tree.structure(template), leaves)


def latest_step(directory: str | os.PathLike[str]) -> int | None:
    """Returns the last step that was saved completely, or None; it may still prove damaged.

    Example:
      >>> print(latest_step("no/such/directory"))
      None
    """
    return max(committed_steps(root_of(directory)), default=None)

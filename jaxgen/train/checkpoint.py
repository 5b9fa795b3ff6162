"""Checkpoints that are whole or absent, and refused once a byte has changed.

`directory` holds, for every step kept, the arrays as orbax writes them and one manifest:

    20.1f6c09ab/   orbax checkpoint: one array per leaf, named by its path in the tree
    20.manifest    SHA-256 of the rest of this file; then JSON: the step, the folder, the SHA-256 of
                   each file in it, the shape and dtype of each leaf

Renaming the manifest into place is the commit. A save that was killed has left no manifest: its
folder is never read, and the next save removes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.checks import at_least

_FOLDER = re.compile(r"(\d+)\.[0-9a-f]{8}")


class CheckpointError(ValueError):
    """A checkpoint is absent, damaged, or of another tree than the one asked for."""


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
      save("runs/vae/checkpoints", int(state.step), {"state": state, "key": key})
    """
    step, keep = at_least("step", step, 0), at_least("keep", keep, 1)
    root = _root(directory)
    leaves = _named_leaves("tree", tree, jax.Array)
    from orbax.checkpoint import v1

    root.mkdir(parents=True, exist_ok=True)
    folder = root / f"{step}.{secrets.token_hex(4)}"
    # Orbax refuses arrays of size zero; shape and dtype are all there is to them.
    arrays = {name: _plain(leaf) for name, leaf in leaves.items() if leaf.size}
    if arrays:
        v1.save(str(folder), arrays)
    else:
        folder.mkdir()
    body = {
        "step": step,
        "folder": folder.name,
        "files": _digests(folder),
        "leaves": {name: _describe(leaf) for name, leaf in leaves.items()},
    }
    text = json.dumps(body, indent=1).encode()
    draft = folder / "manifest"
    draft.write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
    _flush(*folder.rglob("*"), folder)
    os.replace(draft, root / f"{step}.manifest")
    _flush(root)
    kept = [other for other in _steps(root) if other <= step][-keep:]
    _clean(root, folder, kept)


def restore(
    directory: str | os.PathLike[str], template: Any, *, step: int | None = None
) -> tuple[int, Any]:
    """Reads the checkpoint of `step`, the latest by default, into the form of `template`.

    Every file is compared with its digest before anything is read, and every leaf's path, shape and
    dtype with the template's. Nothing is cast and nothing falls back: what cannot be restored as it
    was saved is refused, and the message says which other steps are intact.

    Args:
      directory: where `save` wrote.
      template: a pytree of arrays or `jax.ShapeDtypeStruct`, of the structure, shapes and dtypes
        that were saved. Arrays go where the template's are committed, be it one device or many,
        and to the default device otherwise.
      step: which checkpoint.
    Returns:
      The step, and the tree: equal to the saved one to the bit, in buffers that may be donated.
    Raises:
      CheckpointError: no such checkpoint, a damaged file, or another tree.
    Example:
      step, saved = restore("runs/vae/checkpoints", {"state": state, "key": key})
    """
    root = _root(directory)
    steps = _steps(root)
    if not steps:
        raise CheckpointError(f"directory: got {root}, expected one that holds a checkpoint")
    if step is None:
        step = steps[-1]
    if step not in steps:
        raise CheckpointError(f"step: got {step}, expected one of {', '.join(map(str, steps))}")
    try:
        manifest = _verified(root, step)
    except CheckpointError as error:
        intact = [str(other) for other in steps if other != step and _is_intact(root, other)]
        hint = f"intact: step {', '.join(intact)}" if intact else "no other step is intact"
        raise CheckpointError(f"{error}; step {step} is refused, {hint}") from None
    wanted = _named_leaves("template", template, jax.Array, jax.ShapeDtypeStruct)
    _check_leaves({name: _describe(leaf) for name, leaf in wanted.items()}, manifest["leaves"])

    from orbax.checkpoint import v1

    # Read into numpy, so that a leaf may go to other devices, or to none in particular.
    plain = {name: jax.eval_shape(_plain, leaf) for name, leaf in wanted.items() if leaf.size}
    host = {name: np.empty(leaf.shape, leaf.dtype) for name, leaf in plain.items()}
    loaded = v1.load(str(root / manifest["folder"]), host) if host else {}
    leaves = [_place(loaded.get(name), leaf) for name, leaf in wanted.items()]
    return step, jax.tree.unflatten(jax.tree.structure(template), leaves)


def latest_step(directory: str | os.PathLike[str]) -> int | None:
    """Returns the last step that was saved completely, or None; it may still prove damaged.

    Example:
      if latest_step(checkpoints) is not None: step, saved = restore(checkpoints, template)
    """
    return max(_steps(_root(directory)), default=None)


def _root(directory: str | os.PathLike[str]) -> Path:
    root = Path(directory).absolute()
    if root.exists() and not root.is_dir():
        raise CheckpointError(f"directory: got {root}, which is a file, expected a directory")
    return root


def _steps(root: Path) -> list[int]:
    return sorted(int(path.stem) for path in root.glob("*.manifest") if path.stem.isdecimal())


def _named_leaves(argument: str, tree: Any, *kinds: type) -> dict[str, Any]:
    """Returns the leaves of `tree` by their path in it, each of one of `kinds`."""
    leaves = {
        jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
    for name, leaf in leaves.items():
        if not isinstance(leaf, kinds):
            came = type(leaf).__name__
            raise ValueError(f"{argument}: got {came} at {name}, expected a jax.Array")
    return leaves


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _plain(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _describe(leaf: Any) -> str:
    return f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]"


def _place(array: np.ndarray | None, leaf: Any) -> jax.Array:
    """Returns `array` as a `jax.Array` of its own, of the kind and in the place of `leaf`."""
    if array is None:
        value = jnp.zeros(leaf.shape, leaf.dtype)
    elif _is_key(leaf):
        impl = jax.random.key_impl(jnp.zeros((), leaf.dtype))
        value = jax.random.wrap_key_data(jnp.array(array), impl=impl)
    else:
        value = jnp.array(array)
    # An uncommitted array stays free to follow the rest of a computation onto a mesh.
    return jax.device_put(value, leaf.sharding if getattr(leaf, "committed", True) else None)


def _check_leaves(expected: dict[str, str], saved: dict[str, str]) -> None:
    names = list(expected) + [name for name in saved if name not in expected]
    wrong = [name for name in names if expected.get(name) != saved.get(name)]
    if wrong:
        listed = "; ".join(
            f"{name}: got {saved.get(name, 'nothing')}, expected {expected.get(name, 'nothing')}"
            for name in wrong[:5]
        )
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise CheckpointError(f"template: the checkpoint is of another tree: {listed}{more}")


def _digests(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file under `folder`, by relative path."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise CheckpointError(f"{path}: got a symbolic link, expected a file")
        if path.is_file():
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256")
            digests[path.relative_to(folder).as_posix()] = digest.hexdigest()
    return digests


def _verified(root: Path, step: int) -> dict[str, Any]:
    """Returns the manifest of `step` after comparing every file with it."""
    path = root / f"{step}.manifest"
    digest, _, text = path.read_bytes().partition(b"\n")
    if hashlib.sha256(text).hexdigest().encode() != digest:
        raise CheckpointError(f"{path}: damaged, its SHA-256 is not the one it states")
    manifest = json.loads(text)
    if manifest["step"] != step or not _FOLDER.fullmatch(manifest["folder"]):
        raise CheckpointError(f"{path}: got a manifest of another step or folder")
    folder = root / manifest["folder"]
    found = _digests(folder)
    for name in sorted(found.keys() | manifest["files"].keys()):
        if name not in found:
            raise CheckpointError(f"{folder / name}: missing")
        if name not in manifest["files"]:
            raise CheckpointError(f"{folder / name}: not in the manifest")
        if found[name] != manifest["files"][name]:
            raise CheckpointError(f"{folder / name}: damaged, its SHA-256 is not the manifest's")
    return manifest


def _is_intact(root: Path, step: int) -> bool:
    try:
        _verified(root, step)
    except CheckpointError:
        return False
    return True


def _clean(root: Path, folder: Path, kept: list[int]) -> None:
    """Removes all but the checkpoints of `kept`, the last of which has its arrays in `folder`."""
    for step in set(_steps(root)) - set(kept):
        (root / f"{step}.manifest").unlink()
    for path in root.iterdir():
        match = _FOLDER.match(path.name)  # also what orbax calls a folder that it has not finished
        if match and int(match[1]) not in kept[:-1] and path != folder:
            shutil.rmtree(path)


def _flush(*paths: Path) -> None:
    """Has files and folders written to the disk itself, lest a power cut take them."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

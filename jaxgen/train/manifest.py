"""Folders that are whole or absent, and refused once a byte in them has changed.

A directory holds, for every step kept, a folder and one manifest:

    20.1f6c09ab/   whatever was written there
    20.manifest    SHA-256 of the rest of this file; then JSON: the step, the folder, the SHA-256 of
                   each file in it, and what was said of it

Renaming the manifest into place is the commit. A writer that was killed has left no manifest: its
folder is never read, and the next commit removes it.
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

_FOLDER = re.compile(r"([0-9]+)\.[0-9a-f]{8}")
_STEP = re.compile(r"0|[1-9][0-9]*")


class CheckpointError(ValueError):
    """A checkpoint is absent, damaged, or of another tree than the one asked for.

    Example:
      >>> try:
      ...     restore("no/such/directory", jnp.zeros(3))
      ... except CheckpointError as error:
      ...     print(str(error)[:10])
      directory:
    """


def root_of(directory: str | os.PathLike[str]) -> Path:
    """Returns the directory as an absolute path, there or not.

    Raises:
      CheckpointError: it is a file.
    """
    root = Path(directory).absolute()
    if root.exists() and not root.is_dir():
        raise CheckpointError(f"directory: got {root}, which is a file, expected a directory")
    return root


def committed_steps(root: Path) -> list[int]:
    """Returns the steps that have a manifest, rising."""
    return sorted(int(path.stem) for path in root.glob("*.manifest") if _STEP.fullmatch(path.stem))


def new_folder(root: Path, step: int) -> Path:
    """Returns where to write what shall be the folder of `step`; it is not made yet."""
    return root / f"{step}.{secrets.token_hex(4)}"


def commit(root: Path, step: int, folder: Path, said: dict[str, Any], *, keep: int) -> None:
    """Makes `folder` that of `step`, on the disk itself, and removes all but the last `keep`."""
    body = {"step": step, "folder": folder.name, "files": _digests(folder), **said}
    text = json.dumps(body, indent=1).encode()
    draft = folder / "manifest"
    draft.write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
    _flush(*folder.rglob("*"), folder)
    os.replace(draft, root / f"{step}.manifest")
    _flush(root)
    kept = [other for other in committed_steps(root) if other <= step][-keep:]
    _clean(root, folder, kept)


def intact_manifest(root: Path, step: int) -> dict[str, Any]:
    """Returns the manifest of `step` after comparing every file with it.

    Raises:
      CheckpointError: they differ; the message says which other steps are intact.
    """
    try:
        return _verified(root, step)
    except CheckpointError as error:
        others = [str(other) for other in intact(root) if other != step]
        hint = f"intact: step {', '.join(others)}" if others else "no other step is intact"
        raise CheckpointError(f"{error}; step {step} is refused, {hint}") from None


def intact(root: Path) -> list[int]:
    """Returns the steps whose files are all as their manifests say, rising."""
    return [step for step in committed_steps(root) if _is_intact(root, step)]


def manifest_of(root: Path, step: int) -> dict[str, Any]:
    """Returns the manifest of `step` after comparing it with the digest that it states.

    Raises:
      CheckpointError: it is damaged, or no file that can be read.
    """
    path = root / f"{step}.manifest"
    try:
        digest, _, text = path.read_bytes().partition(b"\n")
    except OSError as error:  # a folder, or a link to nowhere
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
    if hashlib.sha256(text).hexdigest().encode() != digest:
        raise CheckpointError(f"{path}: damaged, its SHA-256 is not the one it states")
    manifest = json.loads(text)
    if manifest["step"] != step or not _FOLDER.fullmatch(manifest["folder"]):
        raise CheckpointError(f"{path}: got a manifest of another step or folder")
    return manifest


def _digests(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file under `folder`, by relative path."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise CheckpointError(f"{path}: got a symbolic link, expected a file")
        if path.is_file():
            try:
                with open(path, "rb") as file:
                    digest = hashlib.file_digest(file, "sha256")
            except OSError as error:
                raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
            digests[path.relative_to(folder).as_posix()] = digest.hexdigest()
    return digests


def _verified(root: Path, step: int) -> dict[str, Any]:
    """Returns the manifest of `step` after comparing every file with it."""
    manifest = manifest_of(root, step)
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
    for step in set(committed_steps(root)) - set(kept):
        _remove(root / f"{step}.manifest")
    for path in root.iterdir():
        match = _FOLDER.fullmatch(path.name)
        if match and int(match[1]) not in kept[:-1] and path != folder:
            _remove(path)


def _remove(path: Path) -> None:
    """Removes a file, or a folder and all in it; of a link, which may lead anywhere, itself."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _flush(*paths: Path) -> None:
    """Has files and folders written to the disk itself, lest a power cut take them."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

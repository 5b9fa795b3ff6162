"""A run directory is made, or found again, and locked as long as the run is open."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from jaxgen.train import on_first_process
from jaxgen.workbench.fields import of_dataclass
from jaxgen.workbench.records import config_from_json, to_json
from jaxgen.workbench.resuming import refuse_other_config, refuse_used, stored_config
from jaxgen.workbench.run_directory import RunDirectory, replacing


def open_run(path: str | Path, config: Any, *, resume: bool = False) -> RunDirectory:
    """Returns the run directory at `path`, new or, with `resume`, the one that `config` began.

    Args:
      path: made if missing, parents too.
      config: a dataclass of JSON values, tuples included.
      resume: continue; all fields but `NOT_COMPARED_ON_RESUME` must then be as stored.
    Raises:
      ValueError: `path` cannot be written, is in use by another run, or holds none to resume; or
        the configurations differ (each differing field is listed). Nothing has been written then.
    Example:
      >>> run = open_run("runs/opened", RunConfig(seed=3))
      >>> sorted(path.name for path in run.path.glob("*.json"))
      ['config.json']
    """
    of_dataclass(config)
    path = Path(path).expanduser().absolute()
    locks: list[FileLock] = []
    opened = _continued if resume else _begun
    on_first_process(lambda: locks.append(opened(path, config)))
    return RunDirectory(path, locks[0] if locks else None, config)


def _continued(path: Path, config: Any) -> FileLock:
    """Returns the lock of the run at `path` that `config` continues."""
    before = stored_config(path, type(config))
    refuse_other_config(path, before, config)
    if not os.access(path, os.W_OK):
        raise ValueError(f"run_dir: got {path}, which cannot be written")
    lock = _lock(path)
    if getattr(before, "epochs", None) != getattr(config, "epochs", None):  # prolonged
        longer = dataclasses.replace(before, epochs=config.epochs)
        _write_config(path, to_json(dataclasses.asdict(longer), indent=2))
    return lock


def _begun(path: Path, config: Any) -> FileLock:
    """Returns the lock of a new run at `path`."""
    text = to_json(dataclasses.asdict(config), indent=2)
    if config_from_json(text, type(config)) != config:
        raise ValueError(f"config: got {config}, which JSON does not hold exactly")
    refuse_used(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = _lock(path)
        _write_config(path, text)
    except OSError as error:
        raise ValueError(
            f"run_dir: got {path}, expected a directory that can be written ({error.strerror})"
        ) from error
    return lock


def _write_config(path: Path, text: str) -> None:
    with replacing(path / "config.json") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def new_path(name: str) -> Path:
    """Returns the default place of a run of recipe `name`: runs/NAME-YYYYMMDD-HHMMSS.

    Example:
      >>> new_path("vae").parent.name
      'runs'
    """
    return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"


def _lock(path: Path) -> FileLock:
    """Returns the lock of the run at `path`, held until it is collected or the process ends."""
    lock = FileLock(path / ".lock", timeout=0, is_singleton=True)
    # A file system that knows no locks goes without.
    with contextlib.suppress(NotImplementedError):
        try:
            lock.acquire()
        except Timeout:
            raise ValueError(
                f"run_dir: got {path}, in which another process is running; expected one run at a "
                "time"
            ) from None
    return lock

"""Whether a directory may be used: for a new run an empty one, to resume that of the same flags."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

from jaxgen.workbench.config import NOT_COMPARED_ON_RESUME
from jaxgen.workbench.records import config_from_json

Config = TypeVar("Config")


def refuse_used(path: str | Path) -> None:
    """Raises ValueError if there is something at `path` that a new run would mix with.

    Example:
      >>> refuse_used("runs/a")  # raises once a run has been there
    """
    path = Path(path).expanduser().absolute()
    try:
        # Hidden files are what a kill in mid-write leaves: no reason to call a directory used.
        used = path.exists() and any(not p.name.startswith(".") for p in path.iterdir())
    except OSError as error:
        raise ValueError(
            f"run_dir: got {path}, expected a directory that can be written ({error.strerror})"
        ) from error
    if used:
        raise ValueError(
            f"run_dir: got {path}, which is not empty; expected a new or empty directory, or "
            "--resume to continue the run in it"
        )


def stored_config(path: str | Path, config_type: type[Config]) -> Config:
    """Returns the configuration that the run at `path` began with.

    Raises:
      ValueError: there is no run, or one of another recipe.
    Example:
      >>> config = stored_config("runs/a", Config)
    """
    stored = Path(path).expanduser().absolute() / "config.json"
    try:
        content = stored.read_bytes()
    except OSError:
        raise ValueError(
            f"run_dir: got {stored.parent}, which holds no run to resume (no config.json); leave "
            "out --resume to begin one"
        ) from None
    try:
        return config_from_json(content.decode(), config_type)
    except ValueError as error:
        raise ValueError(
            f"run_dir: {stored} is not a configuration of this recipe: {error}"
        ) from None


def refuse_other_config(path: str | Path, before: Any, config: Any) -> None:
    """Raises ValueError if `config` would not continue the run of `before` at `path`.

    Where a run takes place may change, and more epochs may be added if nothing goes by their
    number: see `TrainingConfig.tied_to_epochs`.

    Example:
      >>> refuse_other_config(path, stored_config(path, Config), config)
    """
    differences = []
    for name in (field.name for field in dataclasses.fields(config)):
        was, now = getattr(before, name), getattr(config, name)
        difference = f"{name} was {was!r}, now {now!r}"
        if name in NOT_COMPARED_ON_RESUME or was == now:
            continue
        if name == "epochs" and now > was and hasattr(config, "tied_to_epochs"):
            if (reason := config.tied_to_epochs()) is None:
                continue
            difference += f", but {reason}"
        differences.append(difference)
    if differences:
        raise ValueError(
            f"resume: got another configuration than {path} began with ({'; '.join(differences)}); "
            "expected the same flags as before, or a new run_dir"
        )

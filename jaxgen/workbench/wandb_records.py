"""The records of a run as Weights & Biases shows them; needs the extra `wandb`."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np


def wandb(run: Path, config: Any, name: str) -> Callable[..., None]:
    """Returns the function that also logs a record, by its epoch, to a W&B run of its own.

    The run's files lie under RUN/wandb. Where they go, the account and whether anything leaves this
    machine are W&B's own affair: `WANDB_MODE=offline` keeps all here, `WANDB_PROJECT` names the
    project. Lists, such as a number of every seed, are left to metrics.jsonl.

    Args:
      run: its directory.
      config: a dataclass; W&B shows its fields.
      name: of the W&B run.
    Example:
      >>> from jaxgen.workbench.wandb_records import wandb
      >>> watch = wandb(Path("runs/one"), config, "one")
      >>> watch({"epoch": 1, "train_elbo": -93.1})
    """
    library = importlib.import_module("wandb")
    opened = library.init(
        dir=str(run),
        name=name,
        config=dataclasses.asdict(config),
        reinit="finish_previous",
    )

    def watch(record: Mapping[str, Any], evaluated: Any = None) -> None:
        numbers = {key: float(value) for key, value in record.items() if np.ndim(value) == 0}
        opened.log(numbers, step=record["epoch"])

    return watch

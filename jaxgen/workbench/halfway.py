"""A training that stops within an epoch, and goes on from there: for epochs that take long.

The checkpoint lies beside those of the epochs, which it presumes: it holds the state after some
steps of the epoch that follows the last of them, and the infos of these steps.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.train import latest_step, read_note, restore, save
from jaxgen.workbench.continuing import refuse_other_run
from jaxgen.workbench.records import to_json
from jaxgen.workbench.run_directory import RunDirectory


class Halfway(NamedTuple):
    """Where an epoch stands.

    Attributes:
      step: updates of it that are done.
      state: after them.
      infos: of each of them, with a leading axis.
    """

    step: int
    state: Any
    infos: Any


def save_halfway(run: RunDirectory, epoch: int, at: Halfway) -> None:
    """Saves where the epoch stands that follows so many, in the place of what was saved before."""
    note = {
        "config": None if run.config is None else dataclasses.asdict(run.config),
        "part": run.part,
        "step": at.step,
    }
    tree = {"state": at.state, "infos": at.infos}
    save(_place(run), epoch, tree, keep=1, note=json.loads(to_json(note)))


def last_halfway(run: RunDirectory, epoch: int, before: Any, infos: Any) -> Halfway | None:
    """Returns where the epoch stood that follows so many; None if it was not saved within it.

    Args:
      before: a state as that which was saved.
      infos: of a whole epoch, as arrays or `jax.ShapeDtypeStruct`.
    Raises:
      CheckpointError: what was saved is damaged, or another run's.
    """
    place = _place(run)
    if latest_step(place) != epoch:
        return None
    note = read_note(place, epoch)
    refuse_other_run(f"{place}: the checkpoint within epoch {epoch + 1}", note, run)
    step = note["step"]
    of_steps = jax.tree.map(lambda a: jax.ShapeDtypeStruct((step, *a.shape[1:]), a.dtype), infos)
    _, tree = restore(place, {"state": before, "infos": of_steps}, step=epoch)
    return Halfway(step, tree["state"], jax.tree.map(np.asarray, tree["infos"]))


def within_reach(run: RunDirectory, epoch: int) -> bool:
    """Whether a resumed run would come to that epoch first: all before it are saved."""
    return (latest_step(run.checkpoints) or 0) == epoch


def _place(run: RunDirectory) -> Path:
    return run.path / "halfway"

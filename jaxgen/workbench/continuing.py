"""What a training goes on from: a checkpoint that is whole, of this run, and fits its records.

All that decides how it goes on lies under the checkpoint's manifest: the state and the best params
as arrays; the stopping state, the configuration and the digest of the records so far as its note.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from flax.training.early_stopping import EarlyStopping

from jaxgen.train import CheckpointError, intact_steps, latest_step, read_note, restore, save
from jaxgen.workbench.records import config_from_json, to_json
from jaxgen.workbench.resuming import refuse_other_config
from jaxgen.workbench.run_directory import RunDirectory


class Point(NamedTuple):
    """Where a training stands after an epoch.

    Attributes:
      epoch: how many are done.
      tree: the arrays that decide the next one.
      stopping: the best number so far, and for how many epochs there was no better one.
    """

    epoch: int
    tree: Any
    stopping: EarlyStopping


GoOn: TypeAlias = Callable[[RunDirectory, Point], Point]
"""From the point before the first epoch to the one to go on from: that one if none is saved."""

_STOPPING = ("best_metric", "patience_count", "should_stop")


def save_point(run: RunDirectory, point: Point) -> None:
    """Saves `point` and the records up to it, on the disk itself."""
    note = {
        "config": None if run.config is None else dataclasses.asdict(run.config),
        "part": run.part,
        "stopping": {name: getattr(point.stopping, name) for name in _STOPPING},
        "records": run.seal(),
    }
    save(run.checkpoints, point.epoch, point.tree, note=json.loads(to_json(note)))


def last_point(run: RunDirectory, before: Point) -> Point:
    """Returns the last point that was saved.

    Raises:
      CheckpointError: it is damaged or of another run, or its records are not there; the message
        says from which epoch `last_point_in_order` would go on.
    """
    epoch = latest_step(run.checkpoints)
    if epoch is None:
        return before
    try:
        return _point(run, epoch, before)
    except CheckpointError as error:
        try:
            earlier = f"--resume --fall-back goes on from epoch {_in_order(run, before).epoch}"
        except CheckpointError:
            earlier = "no other checkpoint is in order; expected a new run_dir"
        raise CheckpointError(f"{error}. {earlier}") from None


def last_point_in_order(run: RunDirectory, before: Point) -> Point:
    """Returns the last point in order, though later ones were saved.

    Raises:
      CheckpointError: there are points, but none in order.
    """
    return before if latest_step(run.checkpoints) is None else _in_order(run, before)


def _in_order(run: RunDirectory, before: Point) -> Point:
    refused: CheckpointError | None = None
    for epoch in reversed(intact_steps(run.checkpoints)):
        try:
            return _point(run, epoch, before)
        except CheckpointError as error:
            refused = refused or error
    raise refused or CheckpointError(f"{run.checkpoints}: no checkpoint in it is intact")


def _point(run: RunDirectory, epoch: int, before: Point) -> Point:
    """Returns the point after `epoch`, or raises CheckpointError."""
    note = read_note(run.checkpoints, epoch)
    place = f"{run.checkpoints}: the checkpoint of epoch {epoch}"
    refuse_other_run(place, note, run)
    _, tree = restore(run.checkpoints, before.tree, step=epoch)
    if run.digest(epoch) != note["records"]:
        raise CheckpointError(
            f"{run.path / 'metrics.jsonl'}: its first {epoch} lines are not the records that the "
            f"checkpoint of epoch {epoch} was saved with"
        )
    return Point(epoch, tree, before.stopping.replace(**note["stopping"]))


def refuse_other_run(place: str, note: dict[str, Any], run: RunDirectory) -> None:
    """Refuses the note of a checkpoint that is not of this run and this part of it.

    Args:
      place: begins the message.
      note: with the `part` and the `config`.
    Raises:
      CheckpointError: it is another run's.
    """
    if note.get("part") != run.part:
        raise CheckpointError(f"{place} is of {note.get('part')!r}, expected {run.part!r}")
    if run.config is not None:
        try:
            saved = config_from_json(json.dumps(note["config"]), type(run.config))
            refuse_other_config(place, saved, run.config)
        except ValueError as error:
            raise CheckpointError(f"{place} is of another run: {error}") from None

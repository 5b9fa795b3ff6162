"""One training: the data on the devices, epochs that compile once, records, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxgen.array_checks import arrays
from jaxgen.numerics import highest_precision
from jaxgen.train import data_mesh, replicate
from jaxgen.types import Info, Key, Loss
from jaxgen.workbench.config import TrainingConfig
from jaxgen.workbench.continuing import GoOn, Point, last_point, last_point_in_order
from jaxgen.workbench.data_forms import Sharded, Weighted, compiled_epoch, passed_through
from jaxgen.workbench.epoch_loop import averaged_params, fit
from jaxgen.workbench.frames import Frames
from jaxgen.workbench.run import Run, config_of
from jaxgen.workbench.run_directory import RunDirectory
from jaxgen.workbench.streaming import is_streamed, streamed_epoch
from jaxgen.workbench.tensorboard_events import tensorboard
from jaxgen.workbench.wandb_records import wandb


class Trained(NamedTuple):
    """What a training ends with.

    Attributes:
      params: what `evaluated` makes of the last state, or of the best epoch's.
      frames: what `look` saw before the first epoch and after each, stacked; None without `look`.
    Example:
      >>> Trained(params={"w": 0.5}, frames=None).params
      {'w': 0.5}
    """

    params: Any
    frames: Any


def train(
    run: Run,
    state: Any,
    update: Callable[..., Any],
    data: Any,
    judge: Callable[[Any, Key, Any], dict[str, Any]],
    *,
    key: Key,
    judge_key: Key | None = None,
    held_out: Any = (),
    weights: Callable[[int], Any] | None = None,
    evaluated: Callable[[Any], Any] = averaged_params,
    look: Callable[[Any], Any] | None = None,
    monitor: str = "elbo",
    better: Literal["higher", "lower"] = "higher",
    patience: int | None = None,
) -> Trained:
    """Trains as the run's `TrainingConfig` says, or continues where the run was left.

    Every batch is split over `config.devices`, of each process as many; the data, the state and
    `held_out` are whole on each. An epoch is one scan, compiled once for all trainings of one
    `update` (the same function object), whatever the weights. Data that are large, or as --stream
    says, stay on the host: the same numbers, and an epoch may stop in its middle. Resuming is
    exact: see `fit`.

    Args:
      run: from `begin`, or a part of it.
      state: before the first update; it is copied.
      update: `(state, key, batch) -> (state, info)`; with `weights`, a function from the epoch's
        weights to that.
      data: a pytree of arrays with one leading axis, passed through in a new order every epoch in
        batches of `config.batch_size`; `Sets` of such, passed through apart; or `Draws`.
      judge: `(evaluated, key, held_out) -> numbers`, all that is recorded of the held-out data,
        with products at the highest precision; compiled by the caller, if at all.
      key: of the training; epoch i draws from `fold_in(key, i)`. It and `judge_key` are cloned, so
        that trainings which shall differ in nothing else may be given the same.
      judge_key: the judge's, the same after every epoch: what changes is the model. By default
        `key`, for a judge that draws nothing.
      held_out: handed to `judge`, on the devices.
      weights: from an epoch, counted from 0, to a pytree of numbers, traced, so that nothing is
        compiled again; a warm-up, or a setting in which the trainings of a sweep differ.
      evaluated: the part of the state that is judged and returned: of a `TrainState`, the average
        if it keeps one, the params otherwise.
      look: of that part, arrays to keep of every epoch, for pictures of the training; compiled.
      monitor: the number of the judge that is shown and that patience goes by.
      better: which way it improves.
      patience: stop after as many epochs without a better one, and return the best epoch's.
    Raises:
      ValueError: batch_size is above the number of datapoints; the devices do not divide it.
      TrainingFailed: a step, or a number of the judge, was not finite.
      Interrupted: a signal came; the epoch under way was finished, or stopped in its middle, and
        saved.
    Example:
      >>> def loss(mean, key, batch):
      ...     elbo = -jnp.mean((batch / 255.0 - mean) ** 2)
      ...     return -elbo, {"elbo": elbo}
      >>> optimizer = optax.sgd(0.1)
      >>> with out.part("mean") as part:
      ...     trained = train(
      ...         part,
      ...         init_state(jnp.zeros((8, 8, 1)), optimizer),
      ...         gradient_step(loss, optimizer),
      ...         images.train.images,
      ...         judge_by(loss),
      ...         key=key,
      ...         held_out=images.validation.images,
      ...     )
      >>> trained.params.shape
      (8, 8, 1)
    """
    config = config_of(run, TrainingConfig)
    arrays("state", state)
    if held_out is not None:
        arrays("held_out", held_out)
    mesh = data_mesh(config.devices)
    table = None if weights is None else _table(weights, config.epochs)
    # An epoch donates its state: the caller's stays, for the next training of a sweep.
    state = jax.tree.map(jnp.copy, state)
    state, held_out, table = replicate((state, held_out, table), mesh)
    key = jax.random.clone(key)
    judge_key = key if judge_key is None else judge_key
    if is_streamed(data, config):
        epoch = streamed_epoch(run, update, data, mesh, table, state, key)
    else:
        resident, data_of = _resident_epoch(config, update, data, mesh, table)
        resident.trace(state, key, data_of(0))  # what is wrong in the loss is refused here
        epoch = lambda state, key, index: resident(state, key, data_of(index))  # noqa: E731
    watch, frames = _watching(run, _writers(run, config), look, evaluated(state))
    go_on = last_point_in_order if config.fall_back else last_point
    begun = time.monotonic()
    params = fit(
        run.directory,
        state,
        epoch,
        lambda part: highest_precision(judge)(part, jax.random.clone(judge_key), held_out),
        key=key,
        epochs=config.epochs,
        patience=patience,
        monitor=monitor,
        better=better,
        evaluated=evaluated,
        watch=watch,
        go_on=partial(_with_frames, go_on, frames),
        title=run.title,
        advice=_advice(config),
    )
    records = run.records()
    run.add_training(records[-1]["seconds"], time.monotonic() - begun)
    # What follows is computed by each process for itself.
    params = jax.tree.map(lambda leaf: leaf.addressable_data(0), params)
    if frames is None:
        return Trained(params, None)
    # Patience returns the best epoch: what was seen later is of other params.
    best = max if better == "higher" else min
    last = records[-1]
    if patience is not None:
        last = best(records, key=lambda record: record[f"validation_{monitor}"])
    return Trained(params, frames.stacked(last["epoch"]))


def _resident_epoch(
    config: TrainingConfig, update: Callable[..., Any], data: Any, mesh: Mesh, table: Any
) -> tuple[Any, Callable[[int], Any]]:
    """Returns `(state, key, data) -> (state, infos)`, compiled, and the data by the epoch's index.

    The arrays live on the devices; the weights of the epoch, if there is a table of them, go with
    them.
    """
    arrays, form = passed_through(data, config.batch_size)
    if mesh.size > 1:  # one device has nothing to lay out
        form = Sharded(form, mesh)
    form = form if table is None else Weighted(form)
    arrays = replicate(arrays, mesh)

    def data_of(index: int) -> Any:
        return arrays if table is None else (arrays, jax.tree.map(lambda rows: rows[index], table))

    return compiled_epoch(form, update), data_of


def _writers(run: Run, config: TrainingConfig) -> list[Callable[..., None]]:
    """Returns what records are handed to besides metrics.jsonl, by process 0 alone."""
    path, first = run.directory.path, jax.process_index() == 0
    name = "/".join(path.parts[-2 if run.title else -1 :])
    writers = [tensorboard(path)] if first and config.tensorboard else []
    return [*writers, wandb(path, config, name)] if first and config.wandb else writers


def _watching(
    run: Run, writers: Sequence[Callable[..., None]], look: Callable[[Any], Any] | None, before: Any
) -> tuple[Callable[[dict[str, Any], Any], None], Frames | None]:
    """Returns what is done after every epoch, and the frames if any are kept."""
    see, frames = jax.jit(look) if look is not None else None, None
    if see is not None:
        first = see(before)
        frames = Frames(run.directory.path / "frames", first)
        frames.keep(0, first)

    def watch(record: dict[str, Any], evaluated: Any) -> None:
        for write in writers:
            write(record)
        if frames is not None and see is not None:
            frames.keep(record["epoch"], see(evaluated))

    return watch, frames


def _with_frames(go_on: GoOn, frames: Frames | None, run: RunDirectory, before: Point) -> Point:
    """Returns the point to go on from, if every frame until then is there."""
    point = go_on(run, before)
    if frames is not None:
        frames.refuse_missing(point.epoch)
    return point


def judge_by(loss: Loss) -> Callable[[Any, Key, Any], Info]:
    """Returns the judge that says of the held-out data what `loss` does, compiled.

    Example:
      >>> def loss(mean, key, batch):
      ...     elbo = -jnp.mean((batch / 255.0 - mean) ** 2)
      ...     return -elbo, {"elbo": elbo}
      >>> judge = judge_by(loss)
      >>> judge(jnp.zeros((8, 8, 1)), key, jnp.zeros((3, 8, 8, 1)))["elbo"] == 0
      Array(True, dtype=bool)
    """

    @jax.jit
    def judge(params: Any, key: Key, held_out: Any) -> Info:
        return loss(params, key, held_out)[1]

    return judge


def _table(weights: Callable[[int], Any], epochs: int) -> Any:
    """Returns the weights of all epochs, stacked."""
    rows = [weights(epoch) for epoch in range(epochs)]
    return jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *rows)


def _advice(config: TrainingConfig) -> str:
    """Returns what may help a training that failed, of the flags that this recipe has."""
    clip = " or --clip-norm" if getattr(config, "clip_norm", "") is None else ""
    return f"A lower --learning-rate{clip} may help."

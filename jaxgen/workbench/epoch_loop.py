"""The loop under every training: epochs, records, checkpoints, and every way to end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal

import jax
import numpy as np
from flax.training.early_stopping import EarlyStopping

from jaxgen.array_checks import arrays
from jaxgen.checks import at_least, one_of
from jaxgen.train import TrainState, agree_on_largest, latest_step, save
from jaxgen.types import Info, Key, Params
from jaxgen.workbench.continuing import GoOn, Point, last_point, save_point
from jaxgen.workbench.errors import Interrupted, TrainingFailed
from jaxgen.workbench.interrupt import agreed_signal, deferred_interrupts
from jaxgen.workbench.progress_bar import loudness, progress
from jaxgen.workbench.run_directory import RunDirectory

SECONDS_BETWEEN_CHECKPOINTS = 10.0


def averaged_params(state: TrainState) -> Params:
    """Returns the averaged params if the state keeps them, the last ones otherwise.

    Example:
      >>> averaged_params(init_state({"w": jnp.ones(2)}, optax.sgd(0.1)))
      {'w': Array([1., 1.], dtype=float32)}
    """
    return state.params if state.ema is None else state.ema


def fit(
    run: RunDirectory,
    state: Any,
    epoch: Callable[[Any, Key, int], tuple[Any, Info]],
    validate: Callable[[Any], dict[str, Any]],
    *,
    key: Key,
    epochs: int,
    patience: int | None = None,
    monitor: str = "elbo",
    better: Literal["higher", "lower"] = "higher",
    evaluated: Callable[[Any], Any] = averaged_params,
    watch: Callable[[dict[str, Any], Any], None] | None = None,
    go_on: GoOn = last_point,
    title: str = "",
    advice: str = "",
) -> Any:
    """Runs `epochs` epochs, continuing from the run's last checkpoint if it has one.

    Epoch i draws from `fold_in(key, i)` alone, so a run that was killed anywhere and resumed ends
    with the params of one that was not, to the bit. Checkpoints come at the end of the epoch after
    every `SECONDS_BETWEEN_CHECKPOINTS`, at the last epoch and at SIGINT, SIGTERM and SIGHUP. What
    is returned is saved by itself too, for other programs: see `RunDirectory.trained`.

    Args:
      run: where records and checkpoints go.
      state: the state before the first epoch; its buffers may be donated.
      epoch: `(state, key, index) -> (state, infos)`, compiled; every info has a leading axis of
        steps and `all_finite` is among them.
      validate: numbers of the held-out data, under what `evaluated` makes of the state.
      key: of this training.
      epochs: how many in all.
      patience: stop after as many epochs without a better `validation_{monitor}` and return the
        best epoch's params; None trains to the end and returns the last.
      monitor: the number of the held-out data shown with the progress.
      better: which way that number improves.
      evaluated: the part of the state that is validated and returned: of a `TrainState`, the
        average if it keeps one.
      watch: is handed every record, and what was evaluated, after it was recorded.
      go_on: which checkpoint to continue from.
      title: names this training among others.
      advice: ends the message of a failed training.
    Returns:
      What `evaluated` makes of the last state, or of the best epoch's.
    Raises:
      ValueError: the state is no pytree of arrays; epochs is below one; `monitor` is none of the
        numbers of the held-out data.
      TrainingFailed: a step or the validation was not finite; that epoch is neither recorded nor
        saved.
      CheckpointError: the checkpoint to continue from is damaged or another run's, or the records
        are not those that it was saved with.
      Interrupted: a signal came; the epoch under way was finished and saved.
    Example:
      >>> def epoch(state, key, index):  # one that changes nothing
      ...     return state, {"all_finite": np.array([True])}
      >>> fit(
      ...     folder.of_part("fitted"),
      ...     init_state({"w": jnp.ones(2)}, optax.sgd(0.1)),
      ...     epoch,
      ...     lambda params: {"elbo": -93.1},
      ...     key=key,
      ...     epochs=1,
      ... )
      {'w': Array([1., 1.], dtype=float32)}
    """
    arrays("state", state)
    epochs = at_least("epochs", epochs, 1)
    sign = {"higher": -1.0, "lower": 1.0}[better]
    # Flax counts from zero the epochs that it is patient for, and takes lower for better.
    stopping = EarlyStopping(patience=epochs if patience is None else patience - 1)
    fresh = {"state": state, "best": jax.tree.map(jax.numpy.copy, evaluated(state))}
    done, saved, stopping = go_on(run, Point(0, fresh, stopping))
    state, best = saved["state"], saved["best"]
    records = run.rewind(done)
    earlier = records[-1]["seconds"] if records else 0.0

    last_save = time.monotonic()
    begun = last_save - earlier
    with (
        deferred_interrupts() as interruption,
        progress(epochs, done=done, title=title) as advance,
        _saying_what_is_saved(run, lambda: done),
    ):
        for index in range(done, epochs):
            if stopping.should_stop:  # the run was complete
                break
            state, infos = epoch(state, jax.random.fold_in(key, index), index)
            part = evaluated(state)
            infos, validation = jax.device_get((infos, validate(part)))
            _stop_unless_finite(infos, validation, run, index, title, advice)
            one_of("monitor", monitor, validation)
            record = {f"train_{name}": np.mean(values) for name, values in infos.items()}
            del record["train_all_finite"]
            record |= {f"validation_{name}": value for name, value in validation.items()}
            stopping = stopping.update(sign * float(record[f"validation_{monitor}"]))
            if stopping.has_improved and patience is not None:
                best = jax.tree.map(jax.numpy.copy, part)
            now = time.monotonic()
            record = {"epoch": index + 1, **record, "seconds": now - begun}
            run.record(record)
            if watch is not None:
                watch(record, part)
            # Read once: a signal between two readings would stop the run with nothing saved.
            ends = stopping.should_stop or index + 1 == epochs
            late = now - last_save > SECONDS_BETWEEN_CHECKPOINTS
            stop, late = agree_on_largest(bool(interruption) or ends, late)
            if stop or late:
                save_point(run, Point(index + 1, {"state": state, "best": best}, stopping))
                done, last_save = index + 1, time.monotonic()
            advance(1, _message(record, monitor))
            if stop:
                break
        if signum := agreed_signal(interruption):
            raise Interrupted(signum, run.path, f"epoch {done} of {epochs} is saved")
    trained = evaluated(state) if patience is None else best
    save(run.trained, done, trained)
    return trained


def _message(record: dict[str, Any], monitor: str) -> str:
    """Returns what is shown of an epoch: the number that is watched, or all of them."""
    if loudness.get() != "verbose":
        return f"{monitor} {record[f'validation_{monitor}']:.2f}"
    numbers = {name: value for name, value in record.items() if np.ndim(value) == 0}
    return "  ".join(f"{name} {value:.5g}" for name, value in numbers.items() if name != "epoch")


@contextlib.contextmanager
def _saying_what_is_saved(run: RunDirectory, saved: Callable[[], int]) -> Iterator[None]:
    """Adds to any error that is not expected the epoch that the training can be continued from."""
    try:
        yield
    except (TrainingFailed, Interrupted):
        raise
    except Exception as error:
        said = f"epoch {saved()} is saved" if saved() else "nothing is saved yet"
        error.add_note(f"{said} in {run.path}")
        raise


def _stop_unless_finite(
    infos: Info, validation: dict[str, Any], run: RunDirectory, index: int, title: str, advice: str
) -> None:
    """Raises TrainingFailed naming the first step that was not finite, and its terms."""
    finite = np.asarray(infos["all_finite"])
    if not finite.all():
        step = int(np.argmin(finite))
        at = {k: v[step] for k, v in infos.items() if k != "all_finite"}
        place = f"step {step + 1} of epoch {index + 1}"
    else:  # the params of the last step have been through no loss yet
        at = {f"validation {name}": value for name, value in validation.items()}
        place = f"the end of epoch {index + 1}"
    terms = [name for name, value in at.items() if not np.isfinite(value).all()]
    if finite.all() and not terms:
        return
    last = latest_step(run.checkpoints)
    kept = "no checkpoint was saved before it" if last is None else f"epoch {last} is saved"
    message = (
        f"{title and title + ': '}not finite: {', '.join(terms) or 'the gradient'} at {place}; "
        f"{kept} in {run.checkpoints}. {advice}"
    )
    raise TrainingFailed(message.rstrip())

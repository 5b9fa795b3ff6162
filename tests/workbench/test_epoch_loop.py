"""The training loop: killed anywhere it resumes to the bit, and every end says what is saved."""

import os
import shutil
import signal
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.train import (
    CheckpointError,
    gradient_step,
    init_state,
    latest_step,
    restore,
    scan_epoch,
)
from jaxgen.train import manifest as manifest_module
from jaxgen.workbench import epoch_loop as fit_module
from jaxgen.workbench.config import ImageConfig
from jaxgen.workbench.continuing import last_point, last_point_in_order, save_point
from jaxgen.workbench.epoch_loop import fit
from jaxgen.workbench.errors import Interrupted, TrainingFailed
from jaxgen.workbench.opening import open_run
from jaxgen.workbench.run_directory import RunDirectory

EPOCHS = 6
DATA = np.linspace(-1, 1, 16, dtype=np.float32)
OPTIMIZER = optax.adam(0.1)


def initial_state():
    return init_state({"w": jnp.zeros(3)}, OPTIMIZER, ema=True)


def loss(params, key, batch):
    error = params["w"] - batch.mean() - jax.random.normal(key, (3,))
    value = jnp.sum(error**2)
    return value, {"elbo": -value}


traced = []


@jax.jit
def compiled(state, key, data):
    traced.append(1)
    return scan_epoch(gradient_step(loss, OPTIMIZER, ema_decay=0.9), 4)(state, key, data)


def one_epoch(state, key, index):
    return compiled(state, key, DATA)


@jax.jit
def validate(params):
    return {"elbo": -jnp.sum((params["w"] - 0.5) ** 2)}


class Killed(BaseException):
    """Takes the place of a kill that this process would not survive."""


def die(*_, **__):
    raise Killed


@pytest.fixture(autouse=True)
def _save_every_epoch(monkeypatch):
    monkeypatch.setattr(fit_module, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)


def run_in(path, part="", **flags):
    resume = (path / "config.json").exists()
    run = open_run(path, ImageConfig(run_dir=str(path), resume=resume, **flags), resume=resume)
    return run.of_part(part) if part else run


def train(path, *, epoch=one_epoch, validate=validate, run=None, epochs=EPOCHS, **options):
    run = run_in(path) if run is None else run
    key = jax.random.key(0)
    return fit(run, initial_state(), epoch, validate, key=key, epochs=epochs, **options)


def records(path):
    return [{k: v for k, v in r.items() if k != "seconds"} for r in RunDirectory(path).metrics()]


def saved(path):
    state = initial_state()
    step, tree = restore(path / "checkpoints", {"state": state, "best": state.params})
    return [np.int64(step), *jax.tree.leaves(tree)]


def assert_same_run(path, other):
    for a, b in zip(saved(path), saved(other), strict=True):
        np.testing.assert_array_equal(a, b, strict=True)
    assert records(path) == records(other)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing happened to."""
    path = tmp_path_factory.mktemp("whole")
    train(path, patience=EPOCHS)
    assert len(records(path)) == EPOCHS
    return path


def in_an_epoch(monkeypatch):
    finished = iter(range(EPOCHS))
    monkeypatch.setattr(fit_module, "_stop_unless_finite", lambda *_: next(finished) == 3 and die())


def in_a_record(monkeypatch):
    record = RunDirectory.record

    def torn(run, metrics):
        if metrics["epoch"] == 4:
            with open(run.path / "metrics.jsonl", "a") as file:
                file.write('{"epoch": 4, "train_el')
            die()
        record(run, metrics)

    monkeypatch.setattr(RunDirectory, "record", torn)


def after_a_record(monkeypatch):
    monkeypatch.setattr(
        fit_module, "save_point", lambda run, at: die() if at.epoch == 4 else save_point(run, at)
    )


def before_the_manifest(monkeypatch):
    replace = os.replace

    def commit(source, target):
        return die() if str(target).endswith("4.manifest") else replace(source, target)

    monkeypatch.setattr(manifest_module.os, "replace", commit)


def after_the_manifest(monkeypatch):
    clean = manifest_module._clean

    def never(root, folder, kept):
        return die() if 4 in kept else clean(root, folder, kept)

    monkeypatch.setattr(manifest_module, "_clean", never)


def before_the_first_save(monkeypatch):
    monkeypatch.setattr(fit_module, "save_point", die)


@pytest.mark.parametrize(
    "kill",
    [
        in_an_epoch,
        in_a_record,
        after_a_record,
        before_the_manifest,
        after_the_manifest,
        before_the_first_save,
    ],
    ids=lambda f: f.__name__,
)
def test_a_killed_run_resumes_to_the_bit(kill, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        kill(patched)
        with pytest.raises(Killed):
            train(tmp_path, patience=EPOCHS)
    train(tmp_path, patience=EPOCHS)
    assert_same_run(tmp_path, whole)


def test_a_run_that_drew_anew_after_resuming_is_seen(whole, tmp_path):
    """The broken twin of the test above."""

    def redrawn(state, key, index):
        return one_epoch(state, jax.random.fold_in(key, 1) if index == 3 else key, index)

    train(tmp_path, epoch=redrawn, patience=EPOCHS)
    with pytest.raises(AssertionError):
        assert_same_run(tmp_path, whole)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("last", [2, EPOCHS])
def test_a_signal_stops_after_the_epoch_which_is_saved(signum, last, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(fit_module, "SECONDS_BETWEEN_CHECKPOINTS", 1e9)

    def signalled(state, key, index):
        if index + 1 == last:
            os.kill(os.getpid(), signum)
        return one_epoch(state, key, index)

    with pytest.raises(Interrupted, match=f"epoch {last} of {EPOCHS} is saved") as stopped:
        train(tmp_path, epoch=signalled, patience=EPOCHS)
    assert stopped.value.signum is signum
    assert stopped.value.run_dir == tmp_path
    assert latest_step(tmp_path / "checkpoints") == last
    train(tmp_path, patience=EPOCHS)
    assert_same_run(tmp_path, whole)


def test_a_signal_during_the_last_save_is_not_lost(tmp_path, monkeypatch):
    def interrupted_save(run, at):
        save_point(run, at)
        if at.epoch == EPOCHS:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(fit_module, "save_point", interrupted_save)
    with pytest.raises(Interrupted, match=f"epoch {EPOCHS} of {EPOCHS}"):
        train(tmp_path)


def test_a_complete_run_is_not_trained_further(whole):
    before = records(whole)
    train(whole, epoch=die, patience=EPOCHS)
    assert records(whole) == before


def scripted(values):
    """A validation that returns `values` in turn."""
    queue = iter(values)
    return lambda params: {"elbo": np.float32(next(queue))}


def test_patience_counts_epochs_without_a_better_one_and_returns_the_best(tmp_path):
    best = train(tmp_path / "short", epochs=2)
    returned = train(tmp_path / "a", validate=scripted([1, 3, 2, 3, 9, 9]), patience=2)
    assert [r["epoch"] for r in records(tmp_path / "a")] == [1, 2, 3, 4]
    np.testing.assert_array_equal(returned["w"], best["w"])
    _, trained = restore(tmp_path / "a" / "trained", returned)
    np.testing.assert_array_equal(trained["w"], best["w"])
    again = train(tmp_path / "a", epoch=die, patience=2)  # stopped once, stopped for good
    np.testing.assert_array_equal(again["w"], best["w"])


def test_patience_is_remembered_over_a_resume(tmp_path):
    def killed(state, key, index):
        return die() if index == 3 else one_epoch(state, key, index)

    with pytest.raises(Killed):
        train(tmp_path, epoch=killed, validate=scripted([1, 3, 2]), patience=2)
    train(tmp_path, validate=scripted([3, 9, 9]), patience=2)
    assert [r["validation_elbo"] for r in records(tmp_path)] == [1, 3, 2, 3]


def test_without_patience_the_last_average_is_returned(tmp_path):
    returned = train(tmp_path, validate=scripted([3, 2, 1]), epochs=3)
    template = {"state": initial_state(), "best": initial_state().params}
    _, tree = restore(tmp_path / "checkpoints", template)
    np.testing.assert_array_equal(returned["w"], tree["state"].ema["w"])
    assert not np.array_equal(returned["w"], tree["state"].params["w"])


def with_bad_step(name):
    def epoch(state, key, index):
        state, infos = one_epoch(state, key, index)
        if index == 2:
            infos = dict(infos, all_finite=jnp.array([True, True, False, False]))
            if name:
                infos[name] = infos[name].at[2].set(jnp.nan)
        return state, infos

    return epoch


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (
            {"epoch": with_bad_step("elbo")},
            "not finite: elbo at step 3 of epoch 3; epoch 2 is saved",
        ),
        ({"epoch": with_bad_step(None)}, "not finite: the gradient at step 3 of epoch 3"),
        (
            {"validate": scripted([1, 2, np.nan])},
            "not finite: validation elbo at the end of epoch 3; epoch 2 is saved",
        ),
    ],
)
def test_what_is_not_finite_stops_the_run_and_is_not_saved(broken, expected, tmp_path):
    with pytest.raises(TrainingFailed, match=expected) as failure:
        train(tmp_path, **broken)
    assert str(tmp_path / "checkpoints") in str(failure.value)
    assert latest_step(tmp_path / "checkpoints") == 2
    assert [r["epoch"] for r in records(tmp_path)] == [1, 2]
    assert all(np.isfinite(leaf).all() for leaf in saved(tmp_path))


def test_what_is_not_finite_before_any_checkpoint_says_so(tmp_path):
    with pytest.raises(TrainingFailed, match="no checkpoint was saved before it"):
        train(tmp_path, validate=scripted([np.inf]))
    assert latest_step(tmp_path / "checkpoints") is None


def test_an_error_of_any_kind_says_what_is_saved(tmp_path, monkeypatch):
    def full(run, metrics):
        if metrics["epoch"] == 3:
            raise OSError(28, "No space left on device")
        return record(run, metrics)

    record = RunDirectory.record
    monkeypatch.setattr(RunDirectory, "record", full)
    with pytest.raises(OSError, match="No space left") as error:
        train(tmp_path)
    assert error.value.__notes__ == [f"epoch 2 is saved in {tmp_path}"]


def flip_a_byte(path):
    (folder,) = (path / "checkpoints").glob("4.*/")
    victim = max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)


def edit_records(edit):
    def of(path):
        records = path / "metrics.jsonl"
        records.write_text("".join(edit(records.read_text().splitlines(keepends=True))))

    return of


def raise_last(lines):
    return [*lines[:-1], lines[-1].replace('"validation_elbo": -', '"validation_elbo": ')]


CONTRADICTIONS = {
    "a flipped byte": (flip_a_byte, "arrays.npz"),
    "no manifest to read": (lambda p: (p / "checkpoints/4.manifest").write_text(""), "4.manifest"),
    "the last record removed": (edit_records(lambda lines: lines[:-1]), "metrics.jsonl"),
    "the last record edited": (edit_records(raise_last), "metrics.jsonl"),
    "the last record no JSON": (edit_records(lambda lines: [*lines[:-1], "{\n"]), "metrics.jsonl"),
}


@pytest.fixture(scope="module")
def four_epochs(tmp_path_factory):
    path = tmp_path_factory.mktemp("four")
    fit_module.SECONDS_BETWEEN_CHECKPOINTS, before = 0.0, fit_module.SECONDS_BETWEEN_CHECKPOINTS
    train(path, epochs=4, patience=EPOCHS)
    fit_module.SECONDS_BETWEEN_CHECKPOINTS = before
    return path


@pytest.mark.parametrize("name", list(CONTRADICTIONS))
def test_what_contradicts_is_refused_and_a_flag_takes_what_is_in_order(
    name, four_epochs, whole, tmp_path
):
    spoil, named = CONTRADICTIONS[name]
    path = tmp_path / "run"
    shutil.copytree(four_epochs, path)
    spoil(path)
    before = (path / "metrics.jsonl").read_bytes()
    with pytest.raises(CheckpointError, match=named) as error:
        train(path, patience=EPOCHS)
    assert "--resume --fall-back goes on from epoch 3" in str(error.value)
    assert (path / "metrics.jsonl").read_bytes() == before
    train(path, patience=EPOCHS, go_on=last_point_in_order)
    assert_same_run(path, whole)


@pytest.mark.parametrize("go_on", [last_point, last_point_in_order])
def test_records_emptied_are_refused_whatever_the_flag(four_epochs, tmp_path, go_on):
    """Patience went by them once: 15 epochs were trained where 14 had been enough."""
    path = tmp_path / "run"
    shutil.copytree(four_epochs, path)
    (path / "metrics.jsonl").write_text("")
    with pytest.raises(CheckpointError, match=r"metrics.jsonl: its first 4 lines are not"):
        train(path, patience=EPOCHS, go_on=go_on)


def other_seed(four, path):
    train(path / "run", run=run_in(path / "run", seed=1), epochs=1)
    return run_in(path / "run", seed=1)


def other_part(four, path):
    run_in(path / "run")
    return run_in(path / "run", part="beta_4")


def edited_configuration(four, path):
    stored = four / "config.json"
    (path / "run").mkdir()
    (path / "run" / "config.json").write_text(stored.read_text().replace('"seed": 0', '"seed": 1'))
    return run_in(path / "run", seed=1)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (other_seed, "is of another run: .*seed was 0, now 1"),
        (other_part, "is of '', expected 'beta_4'"),
        (edited_configuration, "is of another run: .*seed was 0, now 1"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(four_epochs, tmp_path, other, message):
    run = other(four_epochs, tmp_path)
    shutil.rmtree(run.checkpoints, ignore_errors=True)
    shutil.copytree(four_epochs / "checkpoints", run.checkpoints)
    shutil.copy(four_epochs / "metrics.jsonl", run.path)
    with pytest.raises(CheckpointError, match=f"checkpoint of epoch 4 {message}") as error:
        train(None, run=run, patience=EPOCHS)
    assert "no other checkpoint is in order" in str(error.value)


def test_seconds_add_up_over_a_resume(tmp_path, monkeypatch):
    train(tmp_path, epochs=2)
    now = time.monotonic()
    monkeypatch.setattr(fit_module.time, "monotonic", lambda: now)
    before = RunDirectory(tmp_path).metrics()[-1]["seconds"]
    train(tmp_path, epochs=3)
    assert RunDirectory(tmp_path).metrics()[-1]["seconds"] == pytest.approx(before, abs=1e-9)


def test_later_epochs_and_resumed_ones_trace_nothing(tmp_path):
    compiled.clear_cache()
    traced.clear()
    train(tmp_path, epochs=2)
    train(tmp_path, epochs=4)
    assert len(traced) == 1

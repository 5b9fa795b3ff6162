"""The VAE recipe as its user meets it: run, killed, resumed, misused, compared with a real bar."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import numpy as np
import pytest
from recipes import compilations

from experiments import vae as recipe
from jaxgen.data import load
from jaxgen.train import latest_step, restore
from jaxgen.workbench import epoch_loop
from jaxgen.workbench.cli import choose
from jaxgen.workbench.run_directory import RunDirectory

ROOT = Path(__file__).parents[2]
SMALL = "--epochs 2 --hidden 16 --latent-size 4 --nll-samples 20"
NUMBERS = {"test_elbo", "test_nll", "bits_per_dim", "active_units", "seconds"}


def vae(arguments, **flags):
    """Runs the recipe in this process; returns its exit code."""
    options = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    try:
        choose(["vae", *shlex.split(arguments), *options])
    except SystemExit as left:
        return left.code
    return 0


def result(path):
    return json.loads((path / "result.json").read_text())


def records(path):
    return [{k: v for k, v in r.items() if k != "seconds"} for r in RunDirectory(path).metrics()]


def checkpoint(path):
    """The step and every array of the last checkpoint, read by NumPy alone."""
    step = latest_step(path / "checkpoints")
    _, _, manifest = (path / "checkpoints" / f"{step}.manifest").read_bytes().partition(b"\n")
    body = json.loads(manifest)
    with np.load(path / "checkpoints" / body["folder"] / "arrays.npz") as file:
        return step, {name: file[f"arr_{i}"] for i, name in enumerate(body["leaves"])}


def assert_same_training(path, other):
    (step, arrays), (other_step, other_arrays) = checkpoint(path), checkpoint(other)
    assert step == other_step
    assert arrays.keys() == other_arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, other_arrays[name], strict=True, err_msg=name)
    assert records(path) == records(other)


def assert_same_run(path, other):
    assert_same_training(path, other)
    ours, theirs = result(path), result(other)
    assert {k: v for k, v in ours.items() if "seconds" not in k} == {
        k: v for k, v in theirs.items() if "seconds" not in k
    }


def assert_complete(path, epochs, *pictures):
    numbers = result(path)
    assert numbers.keys() >= NUMBERS
    assert all(np.isfinite(numbers[name]) for name in NUMBERS)
    # One sample a datapoint of the ELBO, and with dynamic binarization other pixels than the NLL.
    assert numbers["test_nll"] < -numbers["test_elbo"] + 3 * numbers["test_nll_stderr"]
    terms = numbers["test_reconstruction"] - numbers["test_kl"]
    assert numbers["test_elbo"] == pytest.approx(terms, abs=1e-3)
    assert [record["epoch"] for record in records(path)] == list(range(1, epochs + 1))
    drawn = {file.stem: file for file in (path / "pictures").iterdir()}
    always = {"samples", "reconstructions", "learning_curve", "kl_per_dimension"}
    assert drawn.keys() == always | set(pictures)
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in drawn.values())


@pytest.mark.parametrize(
    ("flags", "pictures"),
    [
        (
            "--likelihood gaussian --architecture conv --kl monte_carlo --beta 0.5 --clip-norm 1 "
            "--ema-decay 0.9 --batch-size 1297",
            [],
        ),
        (
            "--likelihood discretized_logistic --hidden --activation relu --latent-size 2 "
            "--warmup-epochs 1 --schedule constant --patience 1 --nll-samples 7",
            ["latent_grid"],
        ),
    ],
    ids=["gaussian", "discretized_logistic"],
)
def test_a_run_is_complete_and_compiles_its_epoch_once(flags, pictures, tmp_path, capsys):
    path = tmp_path / "run"
    with compilations() as compiled:
        assert vae(f"{SMALL} {flags}", **{"run-dir": path}) == 0
    assert_complete(path, 2, *pictures)
    assert [compiled[name] for name in ("epoch", "judge", "numbers")] == [1, 1, 1]
    printed = capsys.readouterr().out
    for expected in ("ELBO", "NLL", "bits/dim", "active units", "samples.png", str(path)):
        assert expected in printed


WHOLE = (
    "--binarization threshold --hidden 64 --latent-size 8 --epochs 40 --learning-rate 3e-3 "
    "--ema-decay 0.9 --patience 40 --nll-samples 100"
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of forty epochs that nothing happened to."""
    path = tmp_path_factory.mktemp("whole") / "run"
    assert vae(WHOLE, **{"run-dir": path}) == 0
    return path


def test_it_beats_independent_pixels_by_far(whole):
    """Without use of z the best ELBO is that of pixels at their means: the closed form below."""
    train, test = (load("digits", s).images >= 128 for s in ("train", "test"))
    probability = (train.sum(axis=0) + 1) / (len(train) + 2)
    log_probs = np.where(test, np.log(probability), np.log1p(-probability))
    independent = log_probs.sum(axis=(1, 2, 3)).mean()
    numbers = result(whole)
    assert_complete(whole, 40)
    assert numbers["test_elbo"] > independent + 3
    assert numbers["test_nll"] < -numbers["test_elbo"] - 0.3
    assert numbers["bits_per_dim"] == pytest.approx(numbers["test_nll"] / np.log(2) / 64)
    assert 4 <= numbers["active_units"] <= 8


def test_eight_devices_give_the_numbers_of_one(whole, tmp_path):
    assert vae(WHOLE, devices=8, **{"run-dir": tmp_path / "run"}) == 0
    one, eight = result(whole), result(tmp_path / "run")
    for name in NUMBERS - {"seconds"}:
        assert one[name] == pytest.approx(eight[name], abs=1e-3), name


KILLED = {
    "in mid-epoch": """
        fit = training.fit

        def deadly(run, state, epoch, *rest, **options):
            def kill_soon(state, key, index):
                if index == 2:
                    threading.Timer(0.005, os.kill, (os.getpid(), signal.SIGKILL)).start()
                return epoch(state, key, index)

            return fit(run, state, kill_soon, *rest, **options)

        training.fit = deadly
    """,
    "in mid-save": """
        save = continuing.save

        def die_soon(directory, step, tree, **rest):
            if step == 4:
                threading.Timer(0.001, os.kill, (os.getpid(), signal.SIGKILL)).start()
            save(directory, step, tree, **rest)

        continuing.save = die_soon
    """,
}
TRAINED = "vae.evaluate = lambda *_: os._exit(0)"


def process(change, arguments):
    """Runs the recipe in a process of its own after `change`; returns how it ended."""
    start = "import os, signal, threading\nfrom experiments import vae\n"
    start += "from jaxgen.workbench import cli, continuing, epoch_loop, training\n"
    start += "epoch_loop.SECONDS_BETWEEN_CHECKPOINTS = 0.0\n"
    program = start + textwrap.dedent(change) + f"\ncli.choose({['vae', *arguments]!r})"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


def test_killed_in_an_epoch_and_in_a_save_it_resumes_to_the_bit(tmp_path):
    flags = ["--epochs", "6", "--hidden", "16", "--ema-decay", "0.9", "--patience", "4"]
    whole, path = tmp_path / "whole", tmp_path / "killed"
    assert process(TRAINED, [*flags, "--run-dir", str(whole)]) == 0
    flags += ["--run-dir", str(path)]
    assert process(KILLED["in mid-epoch"], flags) == -signal.SIGKILL
    assert latest_step(path / "checkpoints") == 2
    flags += ["--resume"]
    assert process(KILLED["in mid-save"], flags) == -signal.SIGKILL
    assert latest_step(path / "checkpoints") in (3, 4)
    assert process(TRAINED, flags) == 0
    assert_same_training(path, whole)


def test_a_program_of_ones_own_reads_the_params_that_a_run_ends_with(whole):
    config = recipe.Config(hidden=(64,), latent_size=8)
    model = recipe.make_model(config, load("digits", "train"))
    _, params = restore(whole / "trained", jax.eval_shape(model.init, jax.random.key(0)))
    _, saved = checkpoint(whole)
    for path, leaf in jax.tree.leaves_with_path(params):
        name = f"['best']{jax.tree_util.keystr(path)}"
        np.testing.assert_array_equal(leaf, saved[name], err_msg=name)


def test_a_complete_run_resumed_says_the_same_again(whole):
    before = result(whole)
    assert vae(WHOLE + " --resume", **{"run-dir": whole}) == 0
    assert result(whole)["training_seconds"] == before["training_seconds"]
    assert_same_run(whole, whole)


def test_interrupted_twice_it_continues_with_the_command_it_prints(
    whole, tmp_path, monkeypatch, capsys
):
    record, stops = RunDirectory.record, {2: signal.SIGTERM, 4: signal.SIGINT}

    def interrupted(run, metrics):
        record(run, metrics)
        if metrics["epoch"] in stops:
            os.kill(os.getpid(), stops[metrics["epoch"]])

    monkeypatch.setattr(RunDirectory, "record", interrupted)
    monkeypatch.chdir(tmp_path)
    command = shlex.split(WHOLE)  # no --run-dir: the command must name the one it made
    for code in (143, 130, 0):
        assert vae(shlex.join(command)) == code
        if code:
            (line,) = (s for s in capsys.readouterr().err.splitlines() if "continue with" in s)
            command = shlex.split(line.partition(" vae ")[2])
    (path,) = (tmp_path / "runs").iterdir()
    assert_same_run(path, whole)


def test_a_flipped_byte_is_refused_by_name(whole, tmp_path, capsys):
    path = tmp_path / "run"
    subprocess.run(["cp", "-r", whole, path], check=True)
    folder = max((path / "checkpoints").glob("40.*/"))
    victim = max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    before = contents(path)
    assert vae(WHOLE + " --resume", **{"run-dir": path}) == 1
    assert str(victim) in capsys.readouterr().err
    assert contents(path) == before


def test_resuming_into_another_configuration_is_refused(whole, capsys):
    before = contents(whole)
    assert vae(WHOLE + " --latent-size 5 --resume", **{"run-dir": whole}) == 2
    assert "latent_size was 8, now 5" in one_line(capsys)
    assert contents(whole) == before


def test_what_is_not_finite_stops_the_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(epoch_loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    path = tmp_path / "run"
    flags = "--likelihood gaussian --learning-rate 1e6"
    assert vae(f"{SMALL} {flags}", **{"run-dir": path}) == 1
    message = one_line(capsys)
    assert re.search(
        r"not finite: .*reconstruction.* at step \d+ of epoch 1; no checkpoint", message
    )
    assert str(path / "checkpoints") in message
    assert not (path / "result.json").exists()
    assert latest_step(path / "checkpoints") is None
    assert not records(path)


def contents(path):
    return {p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def one_line(capsys):
    """The one line of a refusal."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--dataset mnist --data-dir a_file", "data_dir: got "),
        ("--run-dir a_file", "run_dir: got "),
        ("--run-dir a_file/run", "run_dir: got "),
        ("--run-dir nowhere --resume", "which holds no run to resume"),
        ("--devices 16", "devices: got 16, expected at most 8"),
    ],
)
def test_a_bad_place_is_refused_in_one_line(flags, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("a_file").write_text("not a directory")
    assert vae(flags) == 2
    assert expected in one_line(capsys)
    assert contents(tmp_path) == {Path("a_file"): b"not a directory"}
    assert [p.name for p in tmp_path.iterdir()] == ["a_file"]

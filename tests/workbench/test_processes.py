"""A run in several processes: what they agree on, and that it ends as a run in one does."""

import json
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

from jaxgen.train import CheckpointError, agree_on_largest, on_first_process, processes
from jaxgen.train.manifest import committed_steps
from jaxgen.workbench import cli

ROOT = Path(__file__).parents[2]
SECONDS = 10
"""The heartbeat of the tests."""
VAE = "vae --epochs 3 --hidden 16 --latent-size 4 --nll-samples 20 --devices 2"


@pytest.fixture
def of_two(monkeypatch):
    """Calls a function in two threads, each of which takes itself for a process; gives both ends.

    The two exchange arrays as processes do: both call, and both see what both gave.
    """
    here, barrier = threading.local(), threading.Barrier(2, timeout=30)
    given = [np.zeros(0)] * 2

    def gathered(array, tiled=False):
        given[here.index] = np.array(array)
        barrier.wait()
        arrays = np.stack(given)
        barrier.wait()
        return arrays

    monkeypatch.setattr(jax, "process_index", lambda: here.index)
    monkeypatch.setattr(processes, "_several", lambda: True)
    monkeypatch.setattr(multihost_utils, "process_allgather", gathered)
    monkeypatch.setattr(multihost_utils, "broadcast_one_to_all", lambda a: gathered(a)[0])

    def call(function):
        def one(index):
            here.index = index
            try:
                return function(index)
            except Exception as error:
                return error

        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(one, range(2)))

    return call


VALUES = [
    None,
    {"step": 3, "of": [1.5, "ä", None]},
    "",
    *("x" * n for n in (244, 245, 246, 70_000)),
]


def test_what_the_first_process_returns_all_return(of_two):
    called = []

    def act(value, index):
        called.append(index)
        return value

    for value in VALUES:
        assert of_two(lambda i, value=value: on_first_process(lambda: act(value, i))) == [value] * 2
    assert called == [0] * len(VALUES)


def test_arrays_are_told_with_their_kinds(of_two):
    arrays = [np.arange(6, dtype=np.int8).reshape(2, 3), np.array(2.5, np.float32), np.zeros(0)]
    for told in of_two(lambda i: on_first_process(lambda: arrays)):
        assert [(a.dtype, a.shape) for a in told] == [(a.dtype, a.shape) for a in arrays]
        assert all(map(np.array_equal, told, arrays))


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (CheckpointError("runs/a: damaged"), CheckpointError),
        (ValueError("run_dir: got a" + 300 * "ä"), ValueError),
        (OSError(28, "No space left on device"), OSError),
        (KeyError("seconds"), RuntimeError),
    ],
)
def test_what_fails_in_the_first_process_fails_in_all(of_two, failure, kind):
    def fail():
        raise failure

    first, other = of_two(lambda i: on_first_process(fail))
    assert first is failure
    assert type(other) is kind
    assert str(other) == str(failure)


def test_what_cannot_be_told_fails_in_all(of_two):
    first, other = of_two(lambda i: on_first_process(object))
    assert isinstance(first, TypeError)
    assert type(other) is RuntimeError
    assert str(other) == str(first)


def test_what_one_wants_all_want(of_two):
    wishes = [(0, 15, False), (2, 0, True)]
    assert of_two(lambda i: agree_on_largest(*wishes[i])) == [(2, 15, 1)] * 2
    # Each by itself would stop alone.
    assert of_two(lambda i: tuple(map(int, wishes[i]))) != [(2, 15, 1)] * 2


def test_different_numbers_are_refused_in_all(of_two):
    def refuse(index):
        processes._refuse_different({"['w']": np.ones(2), "['b']": np.full(3, index)})

    for error in of_two(refuse):
        assert "tree: got other numbers in another process at ['b']" in str(error)
    assert of_two(lambda i: processes._refuse_different({"['w']": np.ones(2)})) == [None, None]


BY_HAND = "--coordinator localhost:1 --num-processes 2 --process-id"
REFUSED = {
    "--coordinator localhost --num-processes 2 --process-id 0": "coordinator: got 'localhost', exp",
    "--coordinator :1 --num-processes 2 --process-id 0": "coordinator: got ':1', expected HOST:PO",
    "--coordinator h:0 --num-processes 2 --process-id 0": "coordinator: got 'h:0', expected HOST:",
    "--coordinator h:65536 --num-processes 2 --process-id 0": "coordinator: got 'h:65536', expecte",
    "--coordinator h:1": "num_processes: got none beside coordinator, expected both",
    "--coordinator h:1 --num-processes 2": "process_id: got none beside coordinator, expected both",
    "--coordinator h:1 --process-id 0": "num_processes: got none beside coordinator, expected both",
    "--num-processes 2": "num_processes: got 2 without coordinator, expected both",
    "--process-id 0": "process_id: got 0 without coordinator, expected both",
    "--coordinator h:1 --num-processes 0 --process-id 0": "num_processes: got 0, expected an integ",
    f"{BY_HAND} 2": "process_id: got 2, expected an integer below num_processes=2",
    f"{BY_HAND} -1": "process_id: got -1, expected",
    f"{BY_HAND} 0 --distributed": "coordinator: got 'localhost:1' with distributed, which finds",
    f"{BY_HAND} 0 --heartbeat 0": "heartbeat: got 0, expected an integer >= 1",
    f"{BY_HAND} 0 --batch-size 3 --devices 3": "devices: got 3, expected a multiple of 2, the proc",
    "--distributed": "distributed: got no cluster, expected one whose processes find each other",
    "--heartbeat 5": "heartbeat: got 5 for one process, expected distributed or coordinator",
}


@pytest.mark.parametrize("flags", REFUSED)
def test_flags_that_say_no_cluster_are_refused_in_a_line(flags, tmp_path, capsys):
    code = run_here(f"vae {flags}", tmp_path / "run")
    said = capsys.readouterr().err
    assert code == 2
    assert said.startswith(f"error: {REFUSED[flags]}")
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("address", "process_id", "reason"),
    [
        ("127.0.0.1:{occupied}", 0, "Address already in use"),
        ("0.0.0.0:{occupied}", 0, "Address already in use"),
        ("127.0.0.1:{free}", 1, "Connection refused"),
        ("no.such.host.invalid:80", 0, ""),
        ("no.such.host.invalid:80", 1, ""),
    ],
)
def test_a_coordinator_that_cannot_be_is_refused_in_a_line(
    address, process_id, reason, tmp_path, capsys
):
    with socket.create_server(("127.0.0.1", 0)) as occupied, socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and does not listen
        ports = {"occupied": occupied.getsockname()[1], "free": free.getsockname()[1]}
        address = address.format(**ports)
        flags = f"--coordinator {address} --num-processes 2 --process-id {process_id} --heartbeat 1"
        assert run_here(f"vae --devices 2 {flags}", tmp_path / "run") == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: coordinator: got {address!r}, expected HOST:PORT where process")
    assert reason in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_what_does_not_train_has_no_such_flags(tmp_path, capsys):
    assert run_here("exact_divergences --distributed", tmp_path / "run") == 2
    assert "--distributed" in capsys.readouterr().err


PROGRAM = """
import os, sys
from jaxgen.workbench import choose
from jaxgen.workbench.run_directory import RunDirectory

signum, epoch, *flags = sys.argv[1:]
record = RunDirectory.record

def struck(run, metrics):
    record(run, metrics)
    if metrics["epoch"] == int(epoch):
        os.kill(os.getpid(), int(signum))

RunDirectory.record = struck
choose(flags)
"""


class Ends(NamedTuple):
    """How two processes ended: their exit codes, their errors, the seconds between the ends."""

    codes: list[int]
    errors: list[bytes]
    seconds: float


def run_two(run_dir, *, signum=signal.SIGKILL, struck=0, epoch=0):
    """Trains in two processes; one is sent the signal as soon as `epoch`, if any, is recorded."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    flags = f"--run-dir {run_dir} --coordinator {address} --num-processes 2 --heartbeat {SECONDS}"
    flags = f"{VAE} {flags} {'--resume' if run_dir.exists() else ''}"
    two = []
    try:
        for index in range(2):
            strike = [str(signum.value), str(epoch if index == struck else 0)]
            words = [*strike, *shlex.split(flags), "--process-id", str(index)]
            two.append(
                subprocess.Popen(
                    [sys.executable, "-c", PROGRAM, *words], cwd=ROOT, stderr=subprocess.PIPE
                )
            )
        two[struck].wait(timeout=100)
        begun = time.monotonic()
        errors = [process.communicate(timeout=100)[1] for process in two]
        return Ends([process.returncode for process in two], errors, time.monotonic() - begun)
    finally:
        for process in two:
            process.kill()
            process.communicate()


def run_here(flags, run_dir):
    """Runs a recipe in this process; returns its exit code."""
    try:
        cli.choose([*shlex.split(flags), "--run-dir", str(run_dir)])
    except SystemExit as left:
        return left.code
    return 0


def records(run_dir):
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [{name: row[name] for name in row if name != "seconds"} for row in rows]


def result(run_dir):
    numbers = json.loads((run_dir / "result.json").read_text())
    return {name: value for name, value in numbers.items() if "seconds" not in name}


def params(run_dir):
    (file,) = run_dir.glob("trained/*/arrays.npz")
    with np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}


class Story(NamedTuple):
    """One training, stopped in process 1, continued and killed in process 0, continued to its end.

    Attributes:
      whole: the directory of the same training in one process with two devices.
      stopped: that of the two processes as the signal left it, and how they ended; so on.
    """

    whole: Path
    stopped: tuple[Path, Ends]
    killed: tuple[Path, Ends]
    ended: tuple[Path, Ends]


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    path = tmp_path_factory.mktemp("processes")

    def at(name: str, **strike: Any) -> tuple[Path, Ends]:
        ends = run_two(path / "run", **strike)
        return shutil.copytree(path / "run", path / name), ends

    assert run_here(VAE, path / "whole") == 0
    return Story(
        path / "whole",
        at("stopped", signum=signal.SIGTERM, struck=1, epoch=1),
        at("killed", signum=signal.SIGKILL, struck=0, epoch=2),
        at("ended"),
    )


def test_a_signal_to_one_stops_both_with_a_checkpoint(story):
    run, ends = story.stopped
    assert ends.codes == [128 + signal.SIGTERM] * 2, ends
    assert committed_steps(run / "checkpoints") == [1]
    assert b"epoch 1 of 3 is saved" in ends.errors[0]
    assert b"--resume --coordinator" in ends.errors[0]
    assert records(run) == records(story.whole)[:1]


def test_a_killed_process_takes_the_other_with_it(story):
    run, ends = story.killed
    assert ends.codes[0] == -signal.SIGKILL
    assert ends.codes[1] != 0
    assert ends.seconds < 3 * SECONDS
    assert records(run) == records(story.whole)[:2]
    assert committed_steps(run / "checkpoints") == [1]


def test_two_processes_end_as_one_with_two_devices(story):
    """To the bit, though they were stopped once and killed once on the way."""
    run, ends = story.ended
    assert ends.codes == [0, 0], ends
    assert records(run) == records(story.whole)
    assert result(run) == result(story.whole)
    of_two, of_one = params(run), params(story.whole)
    assert of_two.keys() == of_one.keys()
    for name, array in of_two.items():
        np.testing.assert_array_equal(array, of_one[name])
    first, second = (place / "pictures" / "samples.png" for place in (run, story.whole))
    assert first.read_bytes() == second.read_bytes()


def test_one_process_goes_on_from_two(story, tmp_path):
    run = shutil.copytree(story.stopped[0], tmp_path / "run")
    assert run_here(f"{VAE} --devices 1 --resume", run) == 0
    for row, expected in zip(records(run), records(story.whole), strict=True):
        assert row == pytest.approx(expected, rel=1e-5)
    for name, array in params(run).items():
        np.testing.assert_allclose(array, params(story.whole)[name], rtol=1e-4, atol=1e-6)

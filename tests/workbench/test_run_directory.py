"""The run directory: nothing overwritten, nothing torn, nothing outside it."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Literal

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

from jaxgen.workbench.config import ImageConfig
from jaxgen.workbench.opening import new_path, open_run
from jaxgen.workbench.records import config_from_json, to_json

ROOT = Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
    """A recipe of the tests."""

    hidden: tuple[int, ...] = (200, 100)
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    clip: float | None = None


@dataclasses.dataclass(frozen=True)
class Loose:
    """A configuration that checks nothing."""

    clip: float | None = None


def contents(path):
    return {
        str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()
    }


def test_a_new_run_holds_its_configuration(tmp_path):
    config = Config(hidden=(3,), clip=1, run_dir="elsewhere")
    run = open_run(tmp_path / "deep" / "run", config)
    assert run.path == tmp_path / "deep" / "run"
    text = (run.path / "config.json").read_text("utf-8")
    assert json.loads(text) == {**dataclasses.asdict(config), "hidden": [3]}
    assert config_from_json(text, Config) == config
    assert list(contents(run.path)) == [".lock", "config.json"]


def test_a_used_directory_is_refused_and_left_as_it_was(tmp_path):
    open_run(tmp_path, Config()).record({"epoch": 1})
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r"run_dir: got .*not empty.*--resume"):
        open_run(tmp_path, Config(seed=1))
    assert contents(tmp_path) == before


def test_someone_elses_files_are_not_mixed_with(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match="not empty"):
        open_run(tmp_path, Config())
    assert list(contents(tmp_path)) == ["thesis.tex"]


def test_what_a_kill_left_before_the_configuration_does_not_block(tmp_path):
    (tmp_path / ".config.json.123").write_text("{")
    open_run(tmp_path, Config())
    assert (tmp_path / "config.json").exists()


def test_resuming_ignores_places_and_keeps_the_first_configuration(tmp_path):
    open_run(tmp_path, Config(batch_size=8))
    before = contents(tmp_path)
    moved = Config(batch_size=8, run_dir="r", resume=True, devices=2, data_dir="/other")
    open_run(tmp_path, moved, resume=True)
    assert contents(tmp_path) == before


def test_resuming_into_another_configuration_lists_every_difference(tmp_path):
    open_run(tmp_path, Config())
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r"resume: .*seed was 0, now 3; hidden was .*now \(1, 2\)"):
        open_run(tmp_path, Config(hidden=(1, 2), seed=3), resume=True)
    assert contents(tmp_path) == before


def test_resuming_nothing_is_refused_and_makes_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"run_dir: got .*no run to resume"):
        open_run(tmp_path / "typo", Config(), resume=True)
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"extra": 1}, "extra"),
        ({"epochs": "7"}, "epochs: got '7', expected an integer >= 1"),
        ({"epochs": True}, "epochs: got True"),
        ({"epochs": 0}, "epochs: got 0"),
        ({"hidden": [1, 2.5]}, "hidden: got 2.5"),
        (
            {"likelihood": "poisson"},
            "likelihood: got 'poisson', expected one of bernoulli, gaussian",
        ),
        ({"clip": "none"}, "clip: got 'none'"),
    ],
)
def test_a_tampered_configuration_is_refused(tmp_path, change, expected):
    open_run(tmp_path, Config())
    stored = tmp_path / "config.json"
    stored.write_text(json.dumps(json.loads(stored.read_text()) | change))
    with pytest.raises(
        ValueError, match=r"run_dir: .*config\.json is not a configuration"
    ) as error:
        open_run(tmp_path, Config(), resume=True)
    assert expected in str(error.value)


def test_a_configuration_that_is_no_text_is_refused(tmp_path):
    open_run(tmp_path, Config())
    stored = tmp_path / "config.json"
    stored.write_bytes(stored.read_bytes().replace(b"digits", b"d\xe9gits"))
    with pytest.raises(ValueError, match=r"run_dir: .*config\.json is not a configuration .*utf-8"):
        open_run(tmp_path, Config(), resume=True)


@pytest.mark.parametrize("text", ["", "[1]", '{"seed": 1}', "{"])
def test_no_configuration_at_all_is_refused(text):
    with pytest.raises(ValueError, match="text: got"):
        config_from_json(text, Config)


def test_a_file_in_the_place_of_the_directory(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for path in (file, file / "below"):
        with pytest.raises(ValueError, match=r"run_dir: got .*file"):
            open_run(path, Config())
    assert contents(tmp_path) == {"file": b"mine"}


def test_an_unwritable_directory(tmp_path):
    run = open_run(tmp_path / "run", Config())
    tmp_path.chmod(0o500)
    run.path.chmod(0o500)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("root may write anywhere")
        with pytest.raises(ValueError, match=r"run_dir: got .*\(Permission denied\)"):
            open_run(tmp_path / "other", Config())
        with pytest.raises(ValueError, match=r"run_dir: got .*cannot be written"):
            open_run(run.path, Config(), resume=True)
    finally:
        tmp_path.chmod(0o700)
        run.path.chmod(0o700)


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="no /proc")
def test_a_directory_that_no_one_can_make():
    with pytest.raises(ValueError, match="run_dir: got /proc/run"):
        open_run("/proc/run", Config())


def test_a_number_that_is_not_finite_becomes_null(tmp_path):
    run = open_run(tmp_path, Config())
    run.record({"epoch": 1, "elbo": jnp.array(jnp.nan), "kl": np.array([1.0, -np.inf])})
    run.write_result({"seconds": np.float32(0.5), "steps": np.int64(3), "nll": float("nan")})
    assert run.metrics() == [{"epoch": 1, "elbo": None, "kl": [1.0, None]}]
    assert json.loads((tmp_path / "result.json").read_text()) == {
        "seconds": 0.5,
        "steps": 3,
        "nll": None,
    }


def test_what_json_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="got set"):
        to_json({"x": {1}})
    with pytest.raises(ValueError, match="does not hold exactly"):
        open_run(tmp_path / "run", Loose(clip=float("inf")))
    assert not (tmp_path / "run").exists()


def test_rewinding_drops_later_epochs_and_a_torn_line(tmp_path):
    run = open_run(tmp_path, Config())
    for epoch in (1, 2, 3):
        run.record({"epoch": epoch})
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 4, "el')
    assert [r["epoch"] for r in run.metrics()] == [1, 2, 3]
    assert run.rewind(2) == [{"epoch": 1}, {"epoch": 2}]
    run.record({"epoch": 3})
    assert [r["epoch"] for r in run.metrics()] == [1, 2, 3]
    assert run.rewind(0) == run.metrics() == []


def test_records_survive_kill_9(tmp_path):
    program = f"""
        from jaxgen.workbench.config import ImageConfig
        from jaxgen.workbench.opening import open_run
        run = open_run({str(tmp_path / "run")!r}, ImageConfig())
        epoch = 0
        while True:
            epoch += 1
            run.record({{"epoch": epoch}})
            run.write_result({{"epoch": epoch}})
            print(epoch, flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        for _ in range(50):
            printed = int(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    run = open_run(tmp_path / "run", ImageConfig(), resume=True)
    epochs = [record["epoch"] for record in run.metrics()]
    assert epochs == list(range(1, len(epochs) + 1))
    assert len(epochs) >= printed
    assert json.loads((run.path / "result.json").read_text())["epoch"] >= printed


def test_a_run_that_another_process_has_open_is_refused(tmp_path):
    program = f"""
        import time
        from jaxgen.workbench.config import ImageConfig
        from jaxgen.workbench.opening import open_run
        run = open_run({str(tmp_path / "run")!r}, ImageConfig())
        print("open", flush=True)
        time.sleep(600)
    """
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(ValueError, match=r"run_dir: got .*another process is running"):
            open_run(tmp_path / "run", ImageConfig(), resume=True)
    finally:
        other.kill()
        other.communicate()
    open_run(tmp_path / "run", ImageConfig(), resume=True)  # the lock went with the process


def test_pictures_stay_inside(tmp_path):
    run = open_run(tmp_path / "run", Config())
    path = run.save_picture("samples", Figure())
    assert path == run.path / "pictures" / "samples.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    for name in ("../samples", "a/b", "", ".hidden", "/etc/x", "a\n"):
        with pytest.raises(ValueError, match="name: got"):
            run.save_picture(name, Figure())
    assert list(contents(tmp_path)) == ["run/.lock", "run/config.json", "run/pictures/samples.png"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    run = open_run(tmp_path, Config())
    run.write_result({"seconds": 1})
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="got object"):
        run.write_result({"seconds": object()})
    assert contents(tmp_path) == before


def test_the_default_path_names_the_recipe():
    assert new_path("vae").parent == Path("runs")
    assert new_path("vae").name.startswith("vae-20")

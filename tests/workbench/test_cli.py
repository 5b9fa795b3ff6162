"""The command line: listing, help, exit codes, what an interrupted run says."""

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import jax
import pytest

from jaxgen.workbench import cli
from jaxgen.workbench.config import ImageConfig, require_devices
from jaxgen.workbench.errors import Interrupted, TrainingFailed
from jaxgen.workbench.interrupt import deferred_interrupts

ROOT = Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
    """A recipe of the tests."""

    epochs: int = 7
    latent_size: int = 3
    """Dimensions of the latent."""


def run_with(error):
    def run(config):
        if error is not None:
            raise error

    return run


def exit_code(arguments, error=None):
    try:
        cli.main(Config, run_with(error), arguments)
    except SystemExit as left:
        return left.code
    return 0


def test_flags_become_the_configuration():
    seen = []

    def run(config):
        seen.append(config)

    cli.main(Config, run, ["--latent-size", "5", "--run-dir", "a b", "--resume"])
    assert seen == [Config(latent_size=5, run_dir="a b", resume=True)]
    assert seen[0].epochs == 7  # the recipe's own default, not the shared one


def test_help_shows_types_defaults_and_meaning(capsys):
    assert exit_code(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--latent-size INT Dimensions of the latent. (default: 3)" in text
    assert "--epochs INT Passes over the training set. (default: 7)" in text
    assert "--run-dir PATH" in text
    assert "what an interrupted run says" in text  # the module's docstring heads it


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--nonsense", "1"], "--nonsense"),
        (["--latent-size", "x"], "--latent-size"),
        (["--epochs", "0"], "epochs: got 0, expected an integer >= 1"),
        (["--batch-size", "-4"], "batch_size: got -4"),
        (["--learning-rate", "nan"], "learning_rate: got nan"),
        (["--learning-rate", "0"], "learning_rate: got 0"),
        (["--seed", "-1"], "seed: got -1"),
        (["--seed", str(2**32)], "seed: got 4294967296"),
        (["--devices", "3"], "devices: got 3, expected a divisor of batch_size=128"),
        (["--resume"], "resume: got no run_dir"),
    ],
)
def test_a_bad_flag_is_named_and_exits_2(arguments, expected, capsys):
    assert exit_code(arguments) == 2
    assert expected in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_refused_argument_is_one_line_and_exits_2(capsys):
    assert exit_code([], ValueError("dataset: got 'mnits', expected digits")) == 2
    assert capsys.readouterr().err == "error: dataset: got 'mnits', expected digits\n"


def test_a_failed_training_exits_1(capsys):
    assert exit_code([], TrainingFailed("step 12: kl is not finite")) == 1
    assert capsys.readouterr().err == "error: step 12: kl is not finite\n"


def test_another_error_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        exit_code([], ZeroDivisionError())


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_to_continue(signum, code, capsys):
    error = Interrupted(signum, Path("runs/my run"), "epoch 4 of 7 is saved")
    assert exit_code(["--latent-size", "5"], error) == code
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"interrupted by {signum.name}: epoch 4 of 7 is saved in runs/my run"
    assert second.endswith("--latent-size 5 --run-dir 'runs/my run' --resume")


@pytest.mark.parametrize("given", [["--run-dir", "old", "--resume"], ["--resume", "--run-dir=old"]])
def test_a_run_interrupted_again_names_its_directory_once(given, capsys):
    error = Interrupted(signal.SIGINT, Path("new"), "epoch 5 of 7 is saved")
    assert exit_code(["--latent-size", "5", *given], error) == 130
    assert capsys.readouterr().err.endswith(" --latent-size 5 --run-dir new --resume\n")


def test_the_handler_of_ctrl_c_is_put_back():
    before = signal.getsignal(signal.SIGINT)
    exit_code([], ValueError())
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A recipe in a folder of its own that `choose` finds in place of the real ones."""
    (tmp_path / "toy.py").write_text(
        '"""A toy.\n\nMore of it."""\nraise AssertionError("imported")', "utf-8"
    )
    (tmp_path / "_hidden.py").write_text('"""Not a recipe."""', "utf-8")
    monkeypatch.setattr(cli, "RECIPES", tmp_path)


@pytest.mark.usefixtures("recipe")
def test_recipes_are_listed_without_importing_them(capsys):
    cli.choose([])
    assert capsys.readouterr().out == "toy  A toy.\n"


@pytest.mark.usefixtures("recipe")
def test_an_unknown_recipe_exits_2_and_lists_them(capsys):
    with pytest.raises(SystemExit) as left:
        cli.choose(["toi"])
    assert left.value.code == 2
    assert capsys.readouterr().err == "error: recipe: got 'toi', expected one of\ntoy  A toy.\n"


def test_a_recipe_is_run_by_name(recipe, monkeypatch):
    seen = []
    module = type(sys)("experiments.toy")
    module.Config, module.run = Config, lambda config: seen.append(config)
    monkeypatch.setitem(sys.modules, "experiments.toy", module)
    cli.choose(["toy", "--seed", "4"])
    assert seen == [Config(seed=4)]


def test_the_list_of_recipes_needs_no_jax():
    code = "import sys, experiments.__main__; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_devices_are_there_or_refused():
    require_devices(8)  # conftest pretends eight
    assert jax.device_count() == 8
    with pytest.raises(ValueError, match=r"devices: got 9, expected at most 8 \(cpu"):
        require_devices(9)


def test_devices_are_pretended_before_jax_starts():
    code = """
        import jax
        from jaxgen.workbench.config import require_devices
        require_devices(3)
        assert jax.device_count() == 3
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, check=True, timeout=60)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_sets_the_flag_and_restores_the_handlers(signum, capfd):
    before = signal.getsignal(signum)
    with deferred_interrupts() as interruption:
        assert not interruption
        os.kill(os.getpid(), signum)
        assert interruption
        assert interruption.signum is signum
        assert signal.getsignal(signum) is before
    assert signal.getsignal(signum) is before
    assert "stopping where the run can be saved" in capfd.readouterr().err


def test_the_second_ctrl_c_acts_at_once():
    # A test runner in the background may have been started with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def twice():
        with deferred_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    try:
        with pytest.raises(KeyboardInterrupt):
            twice()
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_the_main_thread_signals_are_left_alone():
    seen = []

    def work():
        with deferred_interrupts() as interruption:
            seen.append((bool(interruption), signal.getsignal(signal.SIGINT)))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]


@pytest.mark.parametrize(("second", "code"), [(False, 130), (True, -signal.SIGINT)])
def test_ctrl_c_in_a_real_process(second, code):
    """Once: the loop stops where it can save. Twice: the process dies, though Python is busy."""
    program = """
        import dataclasses, signal, sys, time
        from jaxgen.workbench.cli import main
        from jaxgen.workbench.config import ImageConfig
        from jaxgen.workbench.errors import Interrupted
        from jaxgen.workbench.interrupt import deferred_interrupts

        def run(config):
            with deferred_interrupts() as interruption:
                print("ready", flush=True)
                while not interruption:
                    time.sleep(0.01)
                print("saving", flush=True)
                time.sleep(TIME)
            raise Interrupted(interruption.signum, "runs/a", "epoch 3 of 9 is saved")

        main(ImageConfig, run, [])
    """.replace("TIME", "60" if second else "0")
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "saving\n"
        start = time.monotonic()
        if second:
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - start < 20
        assert process.returncode == code
        assert "Traceback" not in err
        assert second or "continue with:" in err
    finally:
        process.kill()
        process.communicate()

"""The command line: listing, help, exit codes, what an interrupted run says."""

import dataclasses
import io
import os
import re
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
from jaxgen.workbench.config import ImageConfig
from jaxgen.workbench.errors import Interrupted, TrainingFailed
from jaxgen.workbench.interrupt import deferred_interrupts
from jaxgen.workbench.opening import open_run
from jaxgen.workbench.requirements import require_devices

ROOT = Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
    """A recipe of the tests."""

    epochs: int = 7
    latent_size: int = 3
    """Dimensions of the latent."""
    conditional: bool = False
    """Whether classes are told."""


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

    cli.main(Config, run, ["--latent-size", "5", "--run-dir", "a b"])
    assert seen == [Config(latent_size=5, run_dir="a b")]
    assert seen[0].epochs == 7  # the recipe's own default, not the shared one


def test_help_shows_types_defaults_and_meaning(capsys, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "__doc__", f"{__doc__}\n\n  python toy.py\n")
    assert exit_code(["--help"]) == 0
    printed = capsys.readouterr().out
    assert "\n\n  python toy.py\n\n" in printed
    text = " ".join(printed.replace("│", " ").split())
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
        (["--resume", "maybe"], "resume: got 'maybe', expected nothing"),
        (["--latent-size", str(10**22)], f"latent_size: got {10**22}, expected an integer below"),
        (["--learning-rate", "inf"], "learning_rate: got inf, expected a positive number"),
    ],
)
def test_a_bad_flag_is_named_and_exits_2(arguments, expected, capsys):
    assert exit_code(arguments) == 2
    assert expected in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_refused_argument_is_one_line_and_exits_2(capsys):
    assert exit_code([], ValueError("dataset: got 'mnits', expected digits")) == 2
    assert capsys.readouterr().err == "error: dataset: got 'mnits', expected digits\n"


@pytest.mark.parametrize(
    "message", ["got [3], expected [4]", "name: got 'a/b', expected a file name", "INTERNAL: XLA"]
)
def test_a_value_error_that_names_no_flag_is_no_bad_argument(message, capsys):
    with pytest.raises(ValueError, match=re.escape(message)):
        exit_code([], ValueError(message))


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
    assert second.endswith(" --run-dir 'runs/my run' --resume")


def resumed(path, *flags):
    """The configuration that `--run-dir path --resume` and some flags stand for."""
    seen = []

    def run(config):
        seen.append(config)

    cli.main(Config, run, ["--run-dir", str(path), "--resume", *flags])
    return seen[0]


def test_a_run_is_resumed_by_the_flags_that_it_began_with(tmp_path):
    open_run(tmp_path / "run", Config(latent_size=5, seed=3))
    place = {"run_dir": str(tmp_path / "run"), "resume": True}
    assert resumed(tmp_path / "run") == Config(latent_size=5, seed=3, **place)
    assert resumed(tmp_path / "run", "--seed", "4") == Config(latent_size=5, seed=4, **place)


@pytest.mark.parametrize("again", [[], ["--conditional"], ["--conditional", "--epochs", "7"]])
def test_a_run_is_resumed_with_its_own_flags_said_again(again, tmp_path):
    open_run(tmp_path / "run", Config(conditional=True))
    config = resumed(tmp_path / "run", *again)
    assert config.conditional
    assert config.epochs == 7


def test_no_run_to_resume_is_refused(tmp_path, capsys):
    assert exit_code(["--run-dir", str(tmp_path), "--resume"]) == 2
    assert "which holds no run to resume" in capsys.readouterr().err


def test_the_handler_of_ctrl_c_is_put_back():
    before = signal.getsignal(signal.SIGINT)
    exit_code([], ValueError("seed: got 1"))
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A recipe in a package of its own that `choose` finds in place of the real ones."""
    (tmp_path / "toys").mkdir()
    (tmp_path / "toys" / "toy.py").write_text(TOY, "utf-8")
    (tmp_path / "toys" / "_hidden.py").write_text('"""Not a recipe."""', "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(cli, "PACKAGE", "toys")
    return tmp_path / "toys" / "toy.py"


TOY = """\"\"\"A toy.

More of it, and more
of it.

  python -m toys toy
\"\"\"
from __future__ import annotations
import dataclasses
from typing import Annotated

import nothing_of_that_name

from jaxgen.workbench import Among, Count, RunConfig, main
from no_package import nothing

raise AssertionError("imported")
GAMES = {"chess": lambda: nothing.at_all, "go": lambda: nothing_of_that_name}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    moves: Count = 7
    \"\"\"Before it ends, unless it has
    (as some have) ended before.\"\"\"
    game: Annotated[str, Among(GAMES)] = "go"

    def check(self):
        return nothing


@nothing
def run(config):
    return nothing
"""


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
    module = type(sys)("toys.toy")
    module.Config, module.run = Config, lambda config: seen.append(config)
    monkeypatch.setitem(sys.modules, "toys.toy", module)
    cli.choose(["toy", "--seed", "4"])
    assert seen == [Config(seed=4)]


def test_the_help_of_a_recipe_is_read_without_importing_it(recipe, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "toys.toy", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as left:
        cli.choose(["toy", "--help"])
    monkeypatch.delitem(sys.modules, "toys.toy")
    assert left.value.code == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert "\nMore of it, and more of it.\n\n  python -m toys toy\n" in printed
    text = " ".join(printed.replace("│", " ").split())
    assert "--moves INT Before it ends, unless it has (as some have) ended before." in text
    assert "--game STR One of chess, go." in text


def test_a_used_directory_is_refused_before_the_recipe_is_imported(recipe, tmp_path, capsys):
    open_run(tmp_path / "used", Config())
    for flags in (["--run-dir", str(tmp_path / "used")], [f"--run-dir={tmp_path / 'used'}"]):
        with pytest.raises(SystemExit) as left:
            cli.choose(["toy", *flags])
        assert left.value.code == 2
        assert "run_dir: got" in capsys.readouterr().err


@pytest.mark.parametrize("name", list(cli.recipes()))
def test_help_takes_no_jax(name):
    """Which takes little time, .2 to .3 s of CPU."""
    code = f"""
        import sys
        from jaxgen.workbench import choose
        try:
            choose([{name!r}, "--help"])
        except SystemExit as left:
            assert left.code == 0
        assert "jax" not in sys.modules
    """
    program = [sys.executable, "-c", textwrap.dedent(code)]
    subprocess.run(program, cwd=ROOT, check=True, timeout=60, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(("variable", "colored"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_help_is_colored_on_a_terminal_unless_it_shall_not_be(variable, colored, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", terminal)
    assert exit_code(["--help"]) == 0
    assert ("\x1b[" in terminal.getvalue()) == colored


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
        from jaxgen.workbench.requirements import require_devices
        require_devices(3)
        assert jax.device_count() == 3
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, check=True, timeout=60)


@pytest.fixture
def hangs_up():
    """A terminal's default: a test runner in the background may ignore the signal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangs_up")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_sets_the_flag_and_restores_the_handlers(signum, capfd):
    before = signal.getsignal(signum)
    with deferred_interrupts() as interruption:
        assert not interruption
        os.kill(os.getpid(), signum)
        assert interruption
        assert interruption.signum is signum
        ignored = signum is signal.SIGHUP  # it may come twice
        assert signal.getsignal(signum) is (signal.SIG_IGN if ignored else before)
    assert signal.getsignal(signum) is before
    assert "stopping where the run can be saved" in capfd.readouterr().err


@pytest.mark.usefixtures("hangs_up")
def test_a_terminal_that_closes_twice_and_nohup_are_survived():
    before = signal.getsignal(signal.SIGHUP)
    try:
        with deferred_interrupts() as interruption:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGHUP)
            assert interruption.signum is signal.SIGHUP
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup starts a program
        with deferred_interrupts() as interruption:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not interruption
    finally:
        signal.signal(signal.SIGHUP, before)


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

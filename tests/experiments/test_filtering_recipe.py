"""The filtering recipe as its user meets it, on all three kinds of sequences."""

import json
import shlex

import numpy as np
import pytest

from jaxgen.workbench.cli import choose

SMALL = "--epochs 2 --particles 2 --evaluate-particles 1"
BOUNDS = {"iwae", "fivo", "aesmc", "vsmc"}


def filtering(arguments, **flags):
    """Runs the recipe in this process; returns its exit code."""
    options = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    try:
        choose(["filtering", *shlex.split(arguments), *options])
    except SystemExit as left:
        return left.code
    return 0


@pytest.mark.parametrize(
    ("flags", "picture"),
    [
        ("--sequences 16 --time 6 --batch-size 8 --resampling-gradient score", "filtered"),
        (
            "--dataset stochastic_volatility --sequences 16 --time 6 --batch-size 8 "
            "--objective aesmc",
            "filtered",
        ),
        ("--dataset digits --batch-size 1297 --objective iwae", "samples"),
    ],
    ids=["linear_gaussian", "stochastic_volatility", "digits"],
)
def test_a_run_leaves_numbers_and_pictures(flags, picture, tmp_path, capsys):
    path = tmp_path / "run"
    assert filtering(f"{SMALL} {flags}", **{"run-dir": path}) == 0
    numbers = json.loads((path / "result.json").read_text())
    assert numbers["test_bounds"].keys() == BOUNDS
    values = np.array(list(numbers["test_bounds"].values()))
    assert values.shape == (4, 1)
    assert np.isfinite(values).all()
    # One particle has nobody to be exchanged with: all four are one importance sample.
    np.testing.assert_allclose(values, values[0, 0], rtol=1e-5)
    assert ("test_log_likelihood" in numbers) == ("dataset" not in flags)
    drawn = {file.stem: file for file in (path / "pictures").iterdir()}
    assert drawn.keys() == {"bounds", "learning_curve", picture}
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in drawn.values())
    printed = capsys.readouterr().out
    for expected in ("IWAE", "FIVO", "bounds.png", str(path)):
        assert expected in printed


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--particles 0", "particles: got 0, expected an integer >= 1"),
        ("--evaluate-particles 0", "evaluate_particles: got 0, expected an integer >= 1"),
        ("--time 1", "time: got 1, expected an integer >= 2"),
        ("--sequences 3", "sequences: got 3, expected an integer >= 4"),
        ("--objective nonsense", "nonsense"),
        ("--objective aesmc --resampling-gradient score", "resampling_gradient: got 'score' with"),
        ("--dataset nonsense", "dataset: got 'nonsense'"),
        ("--sequences 8", "batch_size: got 32, expected at most 8"),
    ],
)
def test_a_bad_flag_is_named_and_nothing_written(flags, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert filtering(flags) == 2
    assert expected in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert not list(tmp_path.iterdir())

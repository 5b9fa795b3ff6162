"""The two-sample recipe: what it leaves, that its rates are right, and what it refuses."""

import json

import numpy as np
import pytest
from recipes import run_recipe
from scipy import stats

from jaxgen.workbench.run_directory import RunDirectory


def test_a_run_leaves_rates_that_fit_the_level_and_a_known_power(tmp_path, capsys):
    path = tmp_path / "run"
    assert run_recipe("two_sample", "--counts 24 --trials 200 --permutations 19", path) == 0
    result = json.loads((path / "result.json").read_text())
    assert len(result["tests"]) == 6
    for name, rates in result["false_alarms"].items():
        assert stats.binom.sf(round(200 * rates[0]) - 1, 200, 0.05) > 1e-4, name
    # Welch's test in two dimensions is Bonferroni's of two: the power of Student's t, for one
    # shifted dimension, and the level's half of the other.
    critical = stats.t.isf(0.0125, 46)
    noncentral = stats.nct(46, 0.5 / np.sqrt(2 / 24))
    expected = noncentral.sf(critical) + noncentral.cdf(-critical)
    expected += 0.025 * (1 - expected)
    power = result["power_against_n"]["mean"]["means (Welch)"][0]
    assert power == pytest.approx(expected, abs=4.5 * np.sqrt(expected * (1 - expected) / 200))
    # Each is blind to what it does not look at.
    assert result["power_against_n"]["spread"]["means (Welch)"][0] < 0.15
    assert result["power_against_n"]["mean"]["spread (Brown-Forsythe)"][0] < 0.15
    assert result["power_against_n"]["spread"]["spread (Brown-Forsythe)"][0] > 0.3
    records = RunDirectory(path).metrics()
    assert [r["epoch"] for r in records] == list(range(1, len(records) + 1))
    assert {r["difference"] for r in records} == {"none", "mean", "spread", "shape"}
    assert [p.name for p in (path / "pictures").iterdir()] == ["power.png"]
    printed = capsys.readouterr().out
    for expected_text in ("spread (Brown-Forsythe)", "power.png", str(path)):
        assert expected_text in printed


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--level 0", "level: got 0.0, expected a number between 0 and 1"),
        ("--permutations 5", "permutations: got 5, expected an integer >= 19"),
        ("--counts 32 16", "counts: got (32, 16), expected rising numbers"),
        ("--counts 4", "counts: got 4, expected an integer >= 8"),
        ("--trials 0", "trials: got 0"),
        ("--seed -1", "seed: got -1"),
    ],
)
def test_bad_arguments_leave_one_line_and_no_run(flags, message, tmp_path, capsys):
    path = tmp_path / "run"
    assert run_recipe("two_sample", flags, path) == 2
    assert message in capsys.readouterr().err
    assert not path.exists()

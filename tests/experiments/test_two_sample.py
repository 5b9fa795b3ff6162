"""The two-sample recipe: its rates are right."""

import numpy as np
import pytest
from scipy import stats


def test_a_run_leaves_rates_that_fit_the_level_and_a_known_power(tiny):
    run = tiny("two_sample")
    result = run.result
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
    records = run.records()
    assert [r["epoch"] for r in records] == list(range(1, len(records) + 1))
    assert {r["difference"] for r in records} == {"none", "mean", "spread", "shape"}
    assert "spread (Brown-Forsythe)" in run.printed

"""The benchmark of GAN training runs and compares the same thing; no time is asserted."""

import json

import numpy as np
import pytest

from benchmarks.gan_training import PEERS, measure, report


@pytest.fixture(scope="module")
def result():
    return measure(steps=3, rounds=2)


def test_everyone_plays_the_same_game(result):
    for name, seconds in result["seconds"].items():
        # An untrained critic says little of either: 2 log 2 nats; other seeds are off by a few.
        np.testing.assert_allclose(seconds["answers"][0], 2 * np.log(2), rtol=0.1, err_msg=name)
        assert result["steps_per_second"][name] == pytest.approx(3 / seconds["median"])


def test_record_is_json_and_the_report_names_everyone(result, capsys):
    assert {"jaxgen", "jaxgen, 8 seeds"} <= set(result["seconds"])
    assert set(result["seconds"]) | set(result["absent"]) >= set(PEERS)
    assert json.loads(json.dumps(result)) == result
    report(result)
    printed = capsys.readouterr().out
    for name in [*result["seconds"], *result["ratios"], *result["absent"]]:
        assert name in printed


def test_a_step_is_needed():
    with pytest.raises(ValueError, match="steps: got 0, expected an integer >= 1"):
        measure(steps=0, rounds=1)

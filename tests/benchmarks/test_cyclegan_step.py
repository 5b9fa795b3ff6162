"""The benchmark of the CycleGAN's step runs and compares the same thing; no time is asserted."""

import json

import numpy as np
import pytest

from benchmarks.cyclegan_step import PEERS, Size, measure, report


@pytest.fixture(scope="module")
def result():
    return measure(steps=1, rounds=1, size=Size(side=32, width=2, blocks=1))


def test_everyone_plays_the_same_game(result):
    # Untrained nets: the draws of the start differ, the scale of the loss does not.
    losses = [seconds["answers"][0] for seconds in result["seconds"].values()]
    np.testing.assert_allclose(losses, 8, rtol=0.3)
    assert set(result["seconds"]) | set(result["absent"]) == {"jaxgen", *PEERS}


def test_record_is_json_and_the_report_names_everyone(result, capsys):
    assert json.loads(json.dumps(result)) == result
    report(result)
    printed = capsys.readouterr().out
    for name in [*result["seconds"], *result["ratios"], *result["absent"]]:
        assert name in printed

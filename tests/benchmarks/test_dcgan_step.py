"""The benchmark of the DCGAN's step runs and compares the same thing; no time is asserted."""

import functools
import json
from unittest import mock

import numpy as np
import pytest

from benchmarks.dcgan_step import PEERS, measure, report
from experiments.dcgan import Config


@pytest.fixture(scope="module")
def result():
    # Convolutions that LLVM has not optimized are slow; the comparison needs no large ones.
    tiny = functools.partial(Config, batch_size=4, width=8)
    with mock.patch("benchmarks.dcgan_step.RecipeConfig", tiny):
        return measure(steps=1, rounds=1)


def test_everyone_plays_the_same_game(result):
    answers = {name: seconds["answers"] for name, seconds in result["seconds"].items()}
    # An untrained critic says little; the draws of the start differ.
    for name, losses in answers.items():
        np.testing.assert_allclose(losses[0], 2 * np.log(2), rtol=0.5, err_msg=name)
        median = result["seconds"][name]["median"]
        assert result["milliseconds_per_step"][name] == pytest.approx(1000 * median)


def test_record_is_json_and_the_report_names_everyone(result, capsys):
    assert set(result["seconds"]) | set(result["absent"]) == {"jaxgen", *PEERS}
    assert json.loads(json.dumps(result)) == result
    report(result)
    printed = capsys.readouterr().out
    for name in [*result["seconds"], *result["ratios"], *result["absent"]]:
        assert name in printed


def test_a_step_is_needed():
    with pytest.raises(ValueError, match="steps: got 0, expected an integer >= 1"):
        measure(steps=0, rounds=1)

"""The benchmark of the BiGAN's step runs and compares the same thing; no time is asserted."""

import json

import numpy as np
import pytest

from benchmarks.bigan_step import PEERS, measure, report


def test_everyone_plays_the_same_game_and_is_named(capsys):
    result = measure(steps=1, width=16, rounds=1)
    assert set(result["seconds"]) | set(result["absent"]) == {"jaxgen", *PEERS}
    for name, seconds in result["seconds"].items():
        # An untrained critic says little; the draws of the start differ.
        np.testing.assert_allclose(seconds["answers"][0], 2 * np.log(2), rtol=0.3, err_msg=name)
    assert json.loads(json.dumps(result)) == result
    report(result)
    printed = capsys.readouterr().out
    for name in [*result["seconds"], *result["ratios"], *result["absent"]]:
        assert name in printed
    with pytest.raises(ValueError, match="steps: got 0, expected an integer >= 1"):
        measure(steps=0, width=16, rounds=1)

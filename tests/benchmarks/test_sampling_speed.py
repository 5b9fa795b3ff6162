"""The benchmark of sampling runs, and its ways agree; no time is asserted."""

import json

import pytest

from benchmarks.sampling_speed import measure, report
from experiments.autoregressive import Config


@pytest.fixture(scope="module")
def result():
    recipe = Config(epochs=1, batch_size=256, features=8, layers=1)
    return measure(recipe, count=4, rounds=1)


def test_the_fixed_point_is_one_pixel_after_another_to_the_bit_in_fewer_passes(result):
    assert result["equal_to_the_bit"]
    assert 2 < result["passes"]["most"] < result["pixels"] == 64


def test_the_record_is_json_and_the_report_names_every_way(result, capsys):
    assert json.loads(json.dumps(result)) == result
    report(result)
    printed = capsys.readouterr().out
    assert "passes for 64 pixels, equal to the bit" in printed
    for way in ("fixed point", "pixel by pixel", "whole passes"):
        assert way in printed

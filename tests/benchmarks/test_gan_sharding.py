"""The benchmark of sharded games runs, and splitting changes the memory but not the answer."""

import json

import pytest

from benchmarks.gan_sharding import measure, report


@pytest.fixture(scope="module")
def result():
    return measure(batch_size=512, rounds=1, counts=(1, 8, 4096), steps=1)


def test_the_params_are_those_of_one_device(result):
    assert result["absent"] == [4096]
    assert result["devices"]["1"]["difference"] == 0
    # Not to the bit: sums are taken in another order.
    assert 0 < result["devices"]["8"]["difference"] < 1e-5


def test_the_batch_is_split_the_state_is_not_and_donation_saves_its_copy(result):
    one, eight = (result["devices"][n]["memory"] for n in ("1", "8"))
    assert eight["donated"]["temp"] < one["donated"]["temp"] / 2
    state = one["donated"]["alias"]
    assert state > 3 * 4 * (257 * 128 + 129 * 128 + 129 * 2)  # params and Adam's two moments
    assert state == eight["donated"]["alias"]
    for memory in (one, eight):
        assert memory["kept"]["alias"] == 0
        assert memory["kept"]["argument"] == memory["donated"]["argument"] > state


def test_the_record_is_json_and_the_report_is_honest_about_pretended_devices(result, capsys):
    assert json.loads(json.dumps(result)) == result
    report(result)
    printed = capsys.readouterr().out
    assert "cannot show its gain" in printed
    assert "4096 devices: not there" in printed


def test_a_batch_is_needed():
    with pytest.raises(ValueError, match="batch_size: got 0, expected an integer >= 1"):
        measure(batch_size=0, rounds=1)

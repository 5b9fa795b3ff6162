"""The benchmark of streams runs, and both epochs learn the same; no time is asserted."""

import json

import pytest

from benchmarks import stream_speed


@pytest.fixture(scope="module")
def result():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_speed, "FORMS", {"MLP, 28x28": (28, 28, 1)})
        measured = stream_speed.measure(300, rounds=1)
    return {**measured, "memory": stream_speed.peak_memory(300)}


def test_both_epochs_are_the_same_to_the_bit(result):
    resident, stream = (of["answers"] for of in result["seconds"].values())
    assert resident == stream
    assert resident[0] > resident[1] > 0


def test_the_peak_is_of_the_process_that_streams(result):
    memory = result["memory"]
    assert memory["file_mib"] == pytest.approx(300 * 64 * 64 * 3 / 2**20, rel=1e-3)
    assert 10 < memory["before_mib"] <= memory["peak_mib"] < 2000


def test_the_record_is_json_and_the_report_names_everyone(result, capsys):
    assert json.loads(json.dumps(result)) == result
    stream_speed.report(result)
    printed = capsys.readouterr().out
    for name in [*result["seconds"], *result["ratios"], "MiB resident at most"]:
        assert name in printed

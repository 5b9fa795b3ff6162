"""The speed benchmark runs, counts right and compares the same thing; no time is asserted."""

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.timing import Timing, interleaved, ratio
from benchmarks.training_speed import PEERS, measure, report, synthetic_images


def test_rounds_are_interleaved_in_turning_order_and_the_first_is_apart():
    calls = []
    contestants = {name: lambda i, name=name: calls.append(name) or i for name in "abc"}
    timings = interleaved(contestants, rounds=3)
    assert "".join(calls) == "abc" + "bca" + "cab" + "abc"
    assert [len(t.seconds) for t in timings.values()] == [3, 3, 3]
    assert timings["a"].answers == [0, 1, 2, 3]


def test_medians_ratios_and_compilation_are_by_hand():
    ours, theirs = Timing(7.0, [1.0, 2.0, 6.0], []), Timing(9.0, [2.0, 2.0, 3.0], [])
    summary = ours.summary()
    assert (summary["median"], summary["min"], summary["max"]) == (2.0, 1.0, 6.0)
    assert summary["compile"] == 5.0
    quotient = ratio(ours, theirs)
    assert (quotient["of_medians"], quotient["median"]) == (1.0, 1.0)
    assert (quotient["min"], quotient["max"]) == (0.5, 2.0)


def test_a_round_is_needed():
    with pytest.raises(ValueError, match="rounds: got 0, expected an integer >= 1"):
        interleaved({"a": lambda i: i}, rounds=0)


@pytest.fixture(scope="module")
def result():
    return measure(synthetic_images(4 * 128 + 5), rounds=24)


@pytest.mark.parametrize("peer", PEERS)
def test_peers_do_the_same_work(result, peer):
    if peer in result["absent"]:
        pytest.skip(f"{peer} is not installed: its losses are not compared")
    ours, theirs = (np.array(result["seconds"][name]["answers"]) for name in ("jaxgen", peer))
    # From near 784 log 2 = 543 nats to about 153; other seeds move the end by a few.
    np.testing.assert_allclose([ours[0], theirs[0]], 543, rtol=0.03)
    np.testing.assert_allclose(ours[-1], theirs[-1], rtol=0.05)
    assert ours[-1] < 170


def test_record_is_json_and_the_report_names_everyone(result, capsys):
    assert {"jaxgen", "matrix products"} <= set(result["seconds"])
    assert set(result["final_loss"]) == set(result["seconds"]) - {"matrix products"}
    assert json.loads(json.dumps(result)) == result
    report(result)
    printed = capsys.readouterr().out
    for name in [*result["seconds"], *result["ratios"], *result["absent"]]:
        assert name in printed


def test_too_few_images_are_an_error():
    with pytest.raises(ValueError, match=r"len\(images\): got 100, expected an integer >= 128"):
        measure(synthetic_images(100), rounds=1)


@pytest.mark.parametrize(("flag", "code"), [("--no-such-flag", 2), ("--help", 0)])
def test_the_command_that_help_and_errors_name_exists(flag, code):
    command = [sys.executable, "-m", "benchmarks.training_speed", flag]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == code
    assert "python -m benchmarks.training_speed " in ended.stdout + ended.stderr

"""The speed benchmark runs, counts right and compares the same thing; no time is asserted."""

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.timing import Timing, interleaved, ratio
from benchmarks.training_speed import measure, report, synthetic_images
from benchmarks.vae_contestants import jaxgen_epoch, numpyro_epoch, torch_epoch

IMAGES = synthetic_images(16 * 128 + 5)


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


@pytest.mark.parametrize(("package", "make"), [("numpyro", numpyro_epoch), ("torch", torch_epoch)])
def test_peers_do_the_same_work(package, make):
    pytest.importorskip(package, reason=f"{package} is not installed: its epoch is not compared")
    few = IMAGES[: 4 * 128]
    ours, theirs = jaxgen_epoch(few), make(few)
    losses = np.array([(ours(i), theirs(i)) for i in range(41)])
    # From near 784 log 2 = 543 nats to about 116; other seeds move the end by one or two.
    np.testing.assert_allclose(losses[0], 543, rtol=0.03)
    np.testing.assert_allclose(losses[-1, 0], losses[-1, 1], rtol=0.03)
    assert losses[-1, 0] < 130


def test_measures_and_reports(capsys):
    result = measure(IMAGES, rounds=1)
    names = {"jaxgen", "matrix products"}
    assert names <= set(result["seconds"])
    assert set(result["final_loss"]) == set(result["seconds"]) - {"matrix products"}
    assert json.loads(json.dumps(result)) == result
    report(result)
    printed = capsys.readouterr().out
    for name in [*result["seconds"], *result["absent"]]:
        assert name in printed


def test_too_few_images_are_an_error():
    with pytest.raises(ValueError, match=r"len\(images\): got 100, expected an integer >= 2048"):
        measure(IMAGES[:100], rounds=1)


def test_an_unknown_flag_exits_with_two():
    command = [sys.executable, "-m", "benchmarks.training_speed", "--no-such-flag"]
    assert subprocess.run(command, capture_output=True).returncode == 2

"""The benchmark of flows and MADEs trains all alike, and reports it; no time is asserted."""

import json

import pytest

from benchmarks import density_contestants, density_speed


@pytest.fixture(scope="module")
def result():
    small = {"LAYERS": 1, "WIDTH": 8, "MADE_WIDTH": 8, "BATCH": 32, "STEPS": 4}
    with pytest.MonkeyPatch.context() as patch:
        for name, size in small.items():
            patch.setattr(density_contestants, name, size)
        patch.setattr(density_contestants, "LEARNING_RATE", 1e-2)
        patch.setattr(density_speed, "SIZES", dict.fromkeys(density_speed.SIZES, 4))
        yield density_speed.measure(rounds=6)


def test_losses_fall_alike_for_all_that_are_installed(result):
    for work, of_each in result["seconds"].items():
        ours = of_each["jaxgen"]["answers"]
        if "updates" in work:
            assert ours[-1] < ours[0]
            for theirs in of_each.values():
                assert theirs["answers"][0] == pytest.approx(ours[0], rel=0.3)


def test_the_record_is_json_and_the_report_names_everyone(result, capsys):
    assert json.loads(json.dumps(result)) == result
    density_speed.report(result)
    printed = capsys.readouterr().out
    for name in [*result["seconds"], *result["ratios"], *result["absent"]]:
        assert name in printed

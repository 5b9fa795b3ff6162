"""How timing benchmarks end: caveats on the terminal, one file with the platform in its name."""

import json

import pytest

from benchmarks.record import TimingConfig, print_caveats, write_record

ENVIRONMENT = {"platform": "cpu", "load_average": 0.5}
RATIO = {"of_medians": 0.5, "min": 0.25, "max": 1.0}


def test_ratios_load_and_absent_peers_are_told(capsys):
    busy = {**ENVIRONMENT, "load_average": 3.21}
    print_caveats({"environment": busy, "ratios": {"ours / theirs": RATIO}, "absent": ["torch"]})
    assert capsys.readouterr().out.splitlines() == [
        "ours / theirs: 0.500 (rounds: 0.250 to 1.000)",
        "the machine had other work: load average 3.2 at the start",
        "torch: not installed, left out",
    ]
    print_caveats({"environment": ENVIRONMENT})
    assert not capsys.readouterr().out


def test_the_record_is_named_for_its_platform(tmp_path):
    result = {"environment": ENVIRONMENT, "ratios": {"a / b": RATIO}}
    write_record("speed", result, str(tmp_path / "new" / "folder"))
    (path,) = tmp_path.rglob("*.json")
    assert path.name == "speed_cpu.json"
    assert json.loads(path.read_text()) == result
    write_record("speed", result, None)  # nowhere


def test_what_cannot_be_a_directory_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"out: got .*file, expected a directory"):
        write_record("speed", {"environment": ENVIRONMENT}, str(tmp_path / "file"))


def test_a_round_is_needed():
    with pytest.raises(ValueError, match="rounds: got 0, expected an integer >= 1"):
        TimingConfig(rounds=0)

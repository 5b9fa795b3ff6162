"""Every public function refuses malformed arguments in one form: "name: got ..., expected ..."."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOMS = (
    "certify",
    "data",
    "distributions",
    "divergences",
    "estimators",
    "inference",
    "metrics",
    "models",
    "nets",
    "objectives",
    "two_sample",
)
NO_VALUE = ("None", "a thing")
ARGUED: dict[tuple[str, str], str] = {
    ("certify.density_report", "values"): "None: a density over the reals",
    ("data.refuse", "message"): "whatever it is, it is raised",
    ("distributions.in_context", "context"): "it is passed on",
    ("distributions.in_context", "x"): "it is passed on",
    ("distributions.triangular_fixed_point", "x0"): "the function that is passed refuses it",
    ("objectives.cycle_losses", "loss"): "None: least_squares()",
    ("objectives.entropy_elbo", "estimator"): "None: pathwise()",
}
"""Arguments for which anything may stand, by function and argument, and why."""


@pytest.fixture(scope="module")
def rows():
    """What came of each call, by room; the rooms are asked side by side with other tests."""
    found = {}

    def of(room):
        if room not in found:
            tests = Path(__file__).parent
            done = subprocess.run(
                [sys.executable, tests / "malformed.py", room],
                env={**os.environ, "PYTHONPATH": f"{tests.parent}{os.pathsep}{tests}"},
                capture_output=True,
                text=True,
                check=True,
            )
            found[room] = json.loads(done.stdout)
        return found[room]

    return of


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_refused_is_named(room, rows):
    """Otherwise an AttributeError, a TracerError, or words of another library are all one gets."""
    other = [
        row
        for row in rows(room)
        if row[3] not in ("refused", "accepted", "never called") and tuple(row[:2]) not in ARGUED
    ]
    assert not other, "\n".join(map(str, other))


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_stands_for_an_argument(room, rows):
    accepted = [
        row
        for row in rows(room)
        if row[2] in NO_VALUE and row[3] == "accepted" and (row[0], row[1]) not in ARGUED
    ]
    assert not accepted, "\n".join(map(str, accepted))
    refused = sum(row[3] == "refused" for row in rows(room))
    assert refused > 10, "the examples called no function"

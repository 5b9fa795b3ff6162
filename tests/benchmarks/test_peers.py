"""The jobs of the peers: what they do is the same, and the table says so; no time is asserted."""

import dataclasses
import json

import pytest

from benchmarks import peers
from benchmarks.peer_job import Job
from benchmarks.peers_page import peers_page


def job(theirs=3.0, tolerance=0.1):
    return Job(
        "a sum",
        "the sum",
        tolerance,
        lambda: lambda index: 3.0,
        {
            "json": (("json",), lambda: lambda index: theirs),
            "other": (("json", "not_installed"), lambda: pytest.fail("it is not there")),
        },
    )


def test_a_job_is_timed_beside_the_peers_that_are_there():
    found = peers.measure(job(), 2)
    assert set(found["seconds"]) == {"jaxgen", "json"}
    assert found["ratios"]["json"]["of_medians"] > 0
    assert found["absent"] == ["other"]


def test_a_peer_that_does_something_else_is_refused_by_name():
    with pytest.raises(ValueError, match="json: got the sum 4, expected 3 within"):
        peers.measure(job(theirs=4.0), 1)
    with pytest.raises(ValueError, match="json: got the sum nan, expected 3 within"):
        peers.measure(job(theirs=float("nan")), 1)


@pytest.mark.parametrize("name", ["MMD test", "Fréchet distance", "EM"])
def test_answers_agree(name):
    """With the peers that the tests have anyway; `measure` compares. The others at each run."""
    found = peers.measure(peers.JOBS[name], 1)
    assert found["ratios"]


def test_the_command_leaves_a_record_and_its_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(peers.JOBS, "EM", job())
    config = dataclasses.replace(peers.Config(), jobs=("EM",), rounds=2, out=str(tmp_path))
    record = peers.run(config)
    assert json.loads((tmp_path / "peers.json").read_text()) == record
    page = (tmp_path / "peers.md").read_text()
    assert page == peers_page(record)
    assert "| EM: a sum | json |" in page
    assert "Not installed, and left out: other." in page
    assert page in capsys.readouterr().out

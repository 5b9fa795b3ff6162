"""The estimators of peers: whose packages the tests have anyway; a broken twin is no peer."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import pages, peer_estimators
from benchmarks.peer_estimators import PAIRS, compare, peer_estimators_page
from benchmarks.peer_gradients import by_jaxgen


@pytest.mark.parametrize("name", PAIRS)
def test_a_peer_draws_alike(name):
    pair = PAIRS[name]
    if importlib.util.find_spec(pair.package) is None:
        pytest.skip(f"{pair.package} is not installed")
    ours, theirs = by_jaxgen(pair)(20_000), pair.theirs(20_000)
    assert compare(ours, theirs)["same"]
    assert not compare(1.1 * ours, theirs)["same"]


def test_all_peers_of_the_record_draw_alike():
    record = json.loads(Path(pages.RESULTS, "peer_estimators.json").read_text("utf-8"))
    assert {name: of["same"] for name, of in record["pairs"].items()} == dict.fromkeys(PAIRS, True)


@pytest.mark.parametrize("broken", [lambda g: g + 0.05, lambda g: 1.1 * g])
def test_another_mean_or_variance_is_seen(broken):
    ours, theirs = np.random.default_rng(0).normal(size=(2, 20_000, 3))
    assert compare(ours, theirs)["same"]
    assert not compare(broken(ours), theirs)["same"]


def test_gradients_without_noise_are_compared_by_their_means():
    ones = np.ones((100, 2))
    assert compare(ones, ones)["same"]
    assert not compare(ones, 2 * ones)["same"]
    assert not compare(ones, np.random.default_rng(0).normal(1.0, 0.1, (100, 2)))["same"]


def test_pairs_are_rejected_by_chance_as_seldom_as_said(monkeypatch):
    monkeypatch.setattr(peer_estimators, "FALSE_ALARM", 0.2)
    pairs = np.random.default_rng(0).normal(size=(1000, 2, 500, 3))
    found = [compare(*pair) for pair in pairs]
    rejected = sum(not of["same"] for of in found)
    assert 120 < rejected < 240  # Bonferroni: at most 200 of 1,000, up to four std. errors
    by_ratio = sum(not of["low"] <= 1 <= of["high"] for of in found)
    assert 22 < by_ratio < 78  # a quarter of them, of three means and a ratio


def test_the_command_leaves_a_record_and_its_page(tmp_path, monkeypatch):
    name = "score function: TFP"
    absent = PAIRS[name]._replace(package="not_installed")
    monkeypatch.setitem(peer_estimators.PAIRS, "absent", absent)
    config = peer_estimators.Config(pairs=(name, "absent"), draws=1000, out=str(tmp_path))
    record = peer_estimators.run(config)
    assert json.loads((tmp_path / "peer_estimators.json").read_text()) == record
    page = (tmp_path / "peer_estimators.md").read_text("utf-8")
    assert page == peer_estimators_page(record)
    assert f"| {name} |" in page
    assert "Not installed, and left out: absent." in page

"""Mixes beside their members: costs, ratios with intervals, the verdict on the page."""

import math

import pytest

from benchmarks.mixes import MEMBERS, against_best, compare, mixes_page
from jaxgen.certify import toy
from jaxgen.estimators import disarm, score_function


def of(variance, spread=1.1):
    numbers = {"variance": variance, "low": variance / spread, "high": variance * spread}
    return {**numbers, "worst_z": 0.5, "evaluations": 2, "seconds": 1e-3}


def test_a_mix_costs_what_its_members_cost_together():
    members = {"plain": score_function(2), "pairs": disarm(2)}
    found = compare(toy(0.45)._replace(steps=(1,)), members, 400)
    assert list(found) == ["plain", "pairs", "mix"]
    assert found["mix"]["evaluations"] == 4
    assert found["pairs"]["evaluations"] == 2
    assert all(one["low"] <= one["variance"] <= one["high"] for one in found.values())
    assert found["mix"]["worst_z"] < 5.5


@pytest.mark.parametrize(
    ("variance", "verdict"), [(1.0, "better"), (2.0, "alike"), (4.0, "worse"), (0.0, "better")]
)
def test_the_best_member_is_what_a_mix_is_held_against(variance, verdict):
    found = {"one": of(9.0), "two": of(2.0), "mix": of(variance)}
    best, low, ratio, high = against_best(found)
    assert best == "two"
    assert ratio == variance / 2
    error = math.hypot(math.log(1.1), math.log(1.1))
    assert (low, high) == pytest.approx((ratio * math.exp(-error), ratio * math.exp(error)))
    record = {"problems": {"toy": found}, "dataset": "digits", "environment": ENVIRONMENT}
    assert f"| {verdict} |" in mixes_page(record)
    assert ("better than its best member beyond the interval on 1 (toy)" in mixes_page(record)) == (
        verdict == "better"
    )


ENVIRONMENT = {
    "device": "cpu",
    "platform": "cpu",
    "processor": "a processor",
    "threads": 2,
    "load_average": 0.5,
    "python": "3.11",
    "versions": {"jax": "0.10"},
}


def test_every_kind_has_unbiased_members_of_one_gradient():
    for members in MEMBERS.values():
        assert len(members) > 1
        assert all(member.unbiased and member.bound.linear for member in members.values())

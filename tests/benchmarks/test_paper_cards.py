"""Claims of papers: what would refute them does, and the page says which hold."""

import pytest

from benchmarks.estimator_variance import ESTIMATORS
from benchmarks.networks import NETWORKS
from benchmarks.paper_cards import Config, jackknife_slope, measure_orders, relative_bias
from benchmarks.paper_claims import ORDERS, SLOPES, Order
from benchmarks.papers_page import papers_page, slope_verdict, verdict
from jaxgen.certify import TOYS, Row
from tests.benchmarks.test_mixes import ENVIRONMENT

ROW = Row(*[0] * len(Row._fields))


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [
        ([(0.7, 0.8, 0.9), (0.8, 0.9, 0.99)], "holds"),
        ([(1.1, 1.2, 1.3), (1.01, 1.1, 1.2)], "does not hold"),
        ([(0.7, 0.8, 0.9), (0.9, 1.0, 1.1)], "undecided"),
        ([(0.7, 0.8, 0.9), (1.1, 1.2, 1.3)], "undecided"),
    ],
)
def test_an_order_holds_by_the_intervals_of_all_seeds(ratios, expected):
    assert verdict(ratios) == expected


def test_a_slope_holds_near_the_exponent():
    assert slope_verdict([-0.4, -0.6], -0.5) == "holds"
    assert slope_verdict([-0.4, 0.0], -0.5) == "undecided"
    assert slope_verdict([0.5, 0.4], -0.5) == "does not hold"


def test_claims_are_of_problems_and_estimators_that_are_there():
    assert {order.problem for order in ORDERS} <= {*TOYS, *NETWORKS}
    assert {name for order in ORDERS for name in (order.lower, order.higher)} <= set(ESTIMATORS)


def test_iwae_misses_log_px_by_one_over_k():
    assert jackknife_slope(0, (16, 32)) == pytest.approx(-1, abs=0.05)


def test_an_order_is_told_from_its_reverse():
    """On the toy at logit 3 RLOO has a fifth of the score function's variance."""
    right = Order(
        "Kool et al. (2019a)", "rloo", "score_function", "variance", "toy_0.45", "phi", 2, ""
    )
    wrong = right._replace(lower="score_function", higher="rloo")
    absent = right._replace(lower="not_there")
    config = Config(draws=2000)
    ratios = measure_orders((right, wrong, absent), None, config, 0)
    assert verdict(ratios[:1]) == "holds"
    assert verdict(ratios[1:2]) == "does not hold"
    assert ratios[2] is None


def test_biases_are_compared_with_their_errors():
    one, other = (ROW._replace(bias=b, bias_error=0.01, coordinates=4) for b in (0.1, 0.5))
    assert relative_bias(one, other) == pytest.approx((0.06 / 0.54, 0.2, 0.14 / 0.46))
    assert relative_bias(one, one._replace(bias=0.0))[2] == float("inf")


def test_the_page_has_every_claim_with_its_link():
    record = {
        "config": {"dataset": "digits", "seeds": (0,), "steps": 3},
        "orders": [{**order._asdict(), "ratios": [(0.5, 0.6, 0.7)]} for order in ORDERS],
        "slopes": [{**slope._asdict(), "measured": [slope.expected]} for slope in SLOPES],
        "environment": ENVIRONMENT,
    }
    page = papers_page(record)
    assert page.count("| **holds** |") == len(ORDERS) + len(SLOPES)
    assert page.count("](http") == len(ORDERS) + len(SLOPES)

"""Variances as curves and costs as bars, from rows of a measurement."""

from typing import NamedTuple

import numpy as np

from jaxgen.pictures import cost_bars, variance_curves
from tests.pictures.drawing import drawn


class Row(NamedTuple):
    estimator: str
    point: str
    variance: float
    unbiased: bool = True
    samples: int = 1
    evaluations: int = 2
    problem: str = "toy"
    subtree: str = "phi"

    @property
    def variance_low(self):
        return 0.9 * self.variance

    @property
    def variance_high(self):
        return 1.1 * self.variance

    @property
    def variance_x_evaluations(self):
        return self.variance * self.evaluations

    @property
    def variance_x_time(self):
        return 1e-3 * self.variance


ROWS = [
    Row("plain", "a", 4.0),
    Row("plain", "b", 2.0),
    Row("plain", "b", 0.5, samples=4, evaluations=8),
    Row("relaxed", "a", 1.0, unbiased=False),
    Row("relaxed", "b", 0.25, unbiased=False),
    Row("exact", "a", 0.0, evaluations=16),
    Row("exact", "b", 0.0, evaluations=16),
]


def test_curves_are_of_the_smallest_budget_and_biased_ones_are_dotted():
    figure = variance_curves(ROWS)
    drawn(figure)
    plain, relaxed, exact = figure.axes[0].lines
    np.testing.assert_array_equal(plain.get_ydata(), [4.0, 2.0])
    np.testing.assert_array_equal(relaxed.get_ydata(), [1.0, 0.25])
    assert (plain.get_linestyle(), relaxed.get_linestyle()) == ("-", ":")
    assert 0 < exact.get_ydata()[1] < 0.25  # drawn below all others: a logarithm has no zero
    names = {text.get_text() for text in figure.axes[0].texts}
    assert names == {"plain (2)", "relaxed (2), biased", "exact (16)"}


def test_bars_are_of_the_last_point_and_the_cheapest_is_on_top():
    figure = cost_bars(ROWS)
    drawn(figure)
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == [
        *("plain (2)", "relaxed (2)", "exact (16)")
    ]
    np.testing.assert_allclose([bar.get_width() for bar in left.patches][:2], [4.0, 0.5])
    np.testing.assert_allclose([bar.get_width() for bar in right.patches][:2], [2e-3, 2.5e-4])


def test_no_variance_at_all_can_be_drawn():
    """On logarithmic axes, where zero has no place: at a height of its own, with no interval."""
    curves, bars = variance_curves(ROWS[-2:]), cost_bars(ROWS[-2:])
    drawn(curves)
    drawn(bars)
    (line,) = curves.axes[0].lines
    low, high = curves.axes[0].get_ylim()
    assert 0 < low < line.get_ydata()[0] == line.get_ydata()[1] < high < np.inf
    for axes in bars.axes:
        (bar,) = axes.patches
        low, high = axes.get_xlim()
        assert 0 < low < bar.get_width() < high < np.inf

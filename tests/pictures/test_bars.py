"""Bars are sorted, stacked and named."""

import numpy as np

from jaxgen.pictures import bars, stacked_bars
from tests.pictures.drawing import drawn


def test_bars_are_sorted():
    figure = bars([0.1, 2.0, 0.5])
    (axes,) = figure.axes
    assert [bar.get_height() for bar in axes.patches] == [2.0, 0.5, 0.1]
    drawn(figure)


def test_stacked_bars_stand_on_each_other_and_hang_below_zero():
    figure = stacked_bars(
        ["train", "test"],
        {"a": [1.0, -0.5], "b": [2.0, 3.0], "c": [-0.25, -1.0]},
        ylabel="nats",
        title="Gaps",
    )
    drawn(figure)
    bottoms = [[bar.get_y() for bar in of] for of in figure.axes[0].containers]
    np.testing.assert_allclose(bottoms, [[0, 0], [1, 0], [0, -0.5]])
    assert [text.get_text() for text in figure.axes[0].texts][:2] == ["1.00", "-0.50"]


def test_a_part_too_thin_for_its_number_goes_without():
    figure = stacked_bars(["test"], {"a": [1.0], "b": [0.01], "c": [0.5]}, ylabel="", title="")
    assert [text.get_text() for text in figure.axes[0].texts] == ["1.00", "", "0.50"]

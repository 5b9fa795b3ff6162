"""Every number is a dot on its bar; a zero is an arrow at the edge."""

import pytest

from jaxgen.pictures import intervals
from tests.pictures.drawing import drawn


def test_every_number_is_a_dot_on_its_bar():
    kinds = {"mine": {"a": (0.1, 0.2, 0.4), "b": (0.0, 0.0, 0.0)}, "best": {"b": (2.0, 3.0, 4.0)}}
    figure = intervals(kinds, xlabel="variance", title="Intervals")
    drawn(figure)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    lines = [(line.get_marker(), *line.get_xdata()) for line in axes.lines]
    assert ("None", 0.1, 0.4) in lines
    assert ("o", 0.2) in lines
    assert ("None", 2.0, 4.0) in lines
    (arrow,) = (line for line in lines if line[0] == "<")
    assert arrow[1] < 0.1


def test_a_narrow_axis_and_long_names_can_be_read():
    of = {"a": (0.4, 0.5, 0.6), "one estimator of many, " * 4: (1, 2, 3)}
    kinds = {f"linear_gaussian, scale {i}": of for i in "123456"}
    figure = intervals(kinds, xlabel="variance", title="Intervals")
    drawn(figure)
    (axes,), (legend,) = figure.axes, figure.legends
    assert {"0.5", "1", "2"} <= {label.get_text() for label in axes.get_xticklabels()}
    box, whole = legend.get_window_extent(), figure.bbox
    assert whole.x0 <= box.x0
    assert box.x1 <= whole.x1


def test_no_number_is_refused():
    with pytest.raises(ValueError, match="kinds: got no number"):
        intervals({"mine": {}}, xlabel="variance", title="")

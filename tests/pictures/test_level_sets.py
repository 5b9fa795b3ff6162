"""Level sets are of the function, at the places where the points stand."""

import numpy as np
import pytest

from jaxgen.pictures import level_sets
from tests.pictures.drawing import drawn

POINTS = np.array([[1.0, -2.0], [0.5, 0.0]])


def test_a_level_is_where_the_function_has_it_and_points_stand_on_top():
    figure = level_sets({"slope": lambda xs: xs[:, 0], "flat": lambda xs: 0 * xs[:, 1]}, POINTS)
    drawn(figure)
    slope, flat = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["slope", "flat"]
    assert slope.get_xlim() == slope.get_ylim() == pytest.approx((-3, 3))
    _, lines, dots = slope.collections
    np.testing.assert_array_equal(dots.get_offsets(), POINTS)
    drawn_levels = [
        (level, path.vertices)
        for level, path in zip(lines.levels, lines.get_paths(), strict=True)
        if len(path.vertices)
    ]
    assert len(drawn_levels) >= 12
    for level, vertices in drawn_levels:
        np.testing.assert_allclose(vertices[:, 0], level, atol=1e-5)
    assert len(flat.collections) == 3


def test_no_functions_are_refused():
    with pytest.raises(ValueError, match="titles: got none"):
        level_sets({}, POINTS)

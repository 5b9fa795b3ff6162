"""The plane of two numbers: what has no place in it, what is far off, and names set apart."""

import itertools

import numpy as np
import pytest

from jaxgen.pictures import Place, frontier
from tests.pictures.drawing import drawn

ONE = Place((80.0, 79.0, 81.0), (0.6, 0.55, 0.65), "PixelCNN")
OPTIONS = {"band": (80.0, 84.6, "lost"), "level": 0.5, "xlabel": "", "ylabel": "", "margin": ""}


def test_what_has_no_place_stands_in_the_margin():
    nowhere = ONE._replace(x=(np.inf,) * 3, label="GAN")
    figure = frontier([ONE, nowhere], {"path": [ONE, ONE]}, **OPTIONS)
    _, whole, side = figure.axes
    assert [text.get_text() for text in side.texts] == ["GAN"]
    assert [text.get_text() for text in whole.texts] == ["PixelCNN"]
    assert whole.get_xscale() == "linear"
    with pytest.raises(ValueError, match="points: got none with a finite x"):
        frontier([nowhere], {}, **OPTIONS)


def test_of_points_at_one_place_every_name_can_be_read():
    names = [ONE._replace(label=f"model {i}") for i in range(6)]
    figure = frontier(names, {"path": names[:3]}, **OPTIONS)
    drawn(figure)
    for axes in figure.axes[:2]:
        boxes = [text.get_window_extent() for text in axes.texts]
        assert len(boxes) > 1
        assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


@pytest.mark.parametrize(("x", "scale"), [(390.0, "linear"), (410.0, "log"), (-410.0, "linear")])
def test_far_off_points_leave_room_for_near_ones(x, scale):
    far = ONE._replace(x=(x, x - 1, x + 1))
    figure = frontier([ONE, far], {}, **OPTIONS)
    drawn(figure)
    assert figure.axes[1].get_xscale() == scale

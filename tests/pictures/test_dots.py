"""Every number is a dot, with a thick bar within a thin one."""

import numpy as np

from jaxgen.pictures import dots_with_bars
from tests.pictures.drawing import drawn


def test_every_number_is_a_dot_with_two_bars():
    of = {"pixels": (0.9, 0.01, 0.05), "critic": (0.95, 0.02, 0.04)}
    kinds = {"1-NN": of, "probe": {name: (0.5, 0.1, 0.2) for name in of}}
    figure = dots_with_bars({"all": kinds, "few": kinds}, xlabel="accuracy", title="Features")
    drawn(figure)
    left, _ = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["pixels", "critic"]
    thin, thick = (of.lines[2][0].get_segments() for of in left.containers[:2])
    np.testing.assert_allclose([bar[:, 0] for bar in thin], [[0.85, 0.95], [0.91, 0.99]])
    np.testing.assert_allclose([bar[:, 0] for bar in thick], [[0.89, 0.91], [0.93, 0.97]])
    np.testing.assert_allclose(left.containers[1].lines[0].get_xdata(), [0.9, 0.95])

"""Panels of curves hold the numbers that they are given; cells of a heat map can be read."""

import numpy as np
import pytest

from jaxgen.pictures import curve_panels, heat_map
from jaxgen.pictures.heat_map import _luminance
from tests.pictures.drawing import drawn

X = np.linspace(0.0, 9.0, 10)
CURVES = {
    "before": {"data": X, "model": np.where(X > 2, 1.0, np.nan), "level": 3.0},
    "after": {"data": X, "model": -X, "level": 4.0},
}


def test_every_panel_has_every_curve_and_the_figure_one_legend():
    figure = curve_panels(
        X, CURVES, columns=2, styles={"model": {"ls": "--"}}, xlabel="x", ylabel="density"
    )
    drawn(figure)
    before, after = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["before", "after"]
    np.testing.assert_array_equal(before.lines[1].get_ydata(), CURVES["before"]["model"])
    np.testing.assert_array_equal(after.lines[2].get_ydata(), np.full(10, 4.0))
    assert before.lines[1].get_linestyle() == "--"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["data", "model", "level"]
    assert [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes] == [
        ("x", "density"),
        ("x", ""),
    ]
    assert before.get_xlim() == (0, 9)


def test_an_axis_of_its_own_shows_what_is_settled():
    curves = {"loss": {"train": np.array([900.0] * 6 + [2.0, 1.0, 2.0, 3.0])}}
    figure = curve_panels(X, curves, columns=1, settled=0.4, xlabel="x", ylabel="y")
    low, high = figure.axes[0].get_ylim()
    assert 0.5 < low < 1
    assert 3 < high < 3.5
    one = curve_panels(X, curves, columns=1, ylim=(0.0, 5.0), xlabel="x", ylabel="y")
    assert one.axes[0].get_ylim() == (0, 5)


def test_an_area_lies_under_its_curve():
    figure = curve_panels(X, CURVES, columns=2, areas=["data"], xlabel="x", ylabel="y")
    assert len(figure.axes[0].lines) == 2
    assert figure.axes[0].collections[0].get_datalim(figure.axes[0].transData).ymax == 9


def test_panels_of_other_curves_are_refused():
    with pytest.raises(ValueError, match=r"curves: got .* in 'after', expected"):
        curve_panels(X, {"before": {"a": X}, "after": {"b": X}}, columns=2, xlabel="", ylabel="")
    with pytest.raises(ValueError, match="titles: got none"):
        curve_panels(X, {}, columns=2, xlabel="", ylabel="")


def test_every_cell_of_a_heat_map_can_be_read():
    """Black or white on its cell, at the contrast of 4.5 that WCAG 2 asks for."""
    values = np.geomspace(0.05, 2000, 24).reshape(4, 6)
    values[0, 0], values[3, 5] = -1.0, np.inf
    figure = heat_map(values, list("abcd"), list("uvwxyz"), limits=(0.1, 400.0), title="Excess, %")
    drawn(figure)
    (axes,) = figure.axes
    image = axes.images[0]
    colors = image.to_rgba(image.get_array())[..., :3].reshape(-1, 3)
    for text, color in zip(axes.texts, colors, strict=True):
        lights = sorted(
            (_luminance(color.tolist()), {"black": 0.0, "white": 1.0}[text.get_color()])
        )
        assert (lights[1] + 0.05) / (lights[0] + 0.05) > 4.5, text
    shown = [text.get_text() for text in axes.texts]
    assert (shown[0], shown[-1]) == ("0.0", "inf")
    assert float(shown[7]) == pytest.approx(values.flat[7], rel=0.2)
    assert [t.get_text() for t in axes.get_xticklabels()] == list("uvwxyz")
    assert np.all(np.diff(image.get_array().ravel()) >= 0)


def test_a_number_too_long_for_its_cell_is_shortened():
    figure = heat_map([[1004441.0, 24915.0]], ["a"], ["b", "c"], limits=(0.1, 400.0))
    assert [text.get_text() for text in figure.axes[0].texts] == ["1e+06", "24915"]


def test_names_are_counted():
    with pytest.raises(ValueError, match=r"values: got shape \(1, 2\), expected \(1, 1\)"):
        heat_map([[1.0, 2.0]], ["a"], ["b"], limits=(0.1, 1.0))

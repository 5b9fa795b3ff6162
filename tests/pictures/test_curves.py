"""Curves hold the numbers that they are given."""

import warnings

import numpy as np
import pytest

from jaxgen.pictures import (
    against_count,
    against_steps,
    curve_panels,
    learning_curve,
    learning_curves,
)
from tests.pictures.drawing import drawn


def test_the_learning_curve_holds_the_records():
    records = [{"epoch": e, "train": -100.0 / e, "validation": None} for e in range(1, 41)]
    records[9]["validation"] = -12.0
    figure = learning_curve(records, {"train": "train", "validation": "validation"})
    (axes,) = figure.axes
    train, validation = axes.get_lines()
    np.testing.assert_array_equal(train.get_xdata(), np.arange(1, 41))
    np.testing.assert_allclose(train.get_ydata(), -100.0 / np.arange(1, 41))
    np.testing.assert_array_equal(validation.get_xydata(), [[10, -12.0]])
    assert [t.get_text() for t in axes.get_legend().get_texts()] == [
        "train  -2.50",
        "validation  -12.00",
    ]
    assert "nats" in axes.get_ylabel()
    low, high = axes.get_ylim()
    assert -100 < low < -100 / 3
    assert high > -2.5
    # Of 40 epochs two may leave the picture; the second, -50, does as well.
    assert axes.get_xlabel() == "epoch (some values up to epoch 2 lie beyond this scale)"
    drawn(figure)


def test_a_curve_of_one_epoch_and_a_flat_one_can_be_drawn():
    for records in ([{"epoch": 1, "elbo": -3.0}], [{"epoch": e, "elbo": -3.0} for e in range(9)]):
        figure = learning_curve(records, {"elbo": "train"})
        drawn(figure)
        (axes,) = figure.axes
        low, high = axes.get_ylim()
        assert low < -3 < high
        ticks = axes.get_xticks()
        assert axes.get_xlim()[0] == 0
        assert axes.get_xlabel() == "epoch"
        np.testing.assert_array_equal(ticks, np.round(ticks))  # whole epochs


def test_a_panel_of_one_point_shows_it_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = curve_panels(
            [1.0], {"a": {"kept": [0.8]}}, columns=1, xlabel="epoch", ylabel="share"
        )
        figure.canvas.draw()
    (line,) = figure.axes[0].lines
    assert line.get_marker() == "o"


def test_what_a_curve_should_be_is_dashed_in_its_color():
    figure = against_count(
        [1, 4],
        {"bias": [2.0, 0.6], "other": [1.0, 1.0]},
        theory={"bias": [2.0, 0.5]},
        yscale="log",
        xlabel="K",
        ylabel="nats",
        title="Bias",
    )
    drawn(figure)
    curve, theory, _ = figure.axes[0].lines
    assert (theory.get_linestyle(), theory.get_color()) == ("--", curve.get_color())
    np.testing.assert_allclose(theory.get_ydata(), [2.0, 0.5])
    assert figure.axes[0].get_yscale() == "log"


def test_a_point_of_an_optimization_is_the_mean_over_its_last_half():
    figure = against_steps(
        {"SVI": [1.0, 2, 3, 5, 100]}, level=("log p(x)", 4.0), ylabel="nats", title="SVI"
    )
    drawn(figure)
    curve, level = figure.axes[0].lines
    np.testing.assert_array_equal(curve.get_xydata(), [[1, 1], [2, 2], [4, 4]])
    assert level.get_ydata()[0] == 4


def test_a_curve_that_no_record_holds_is_refused():
    with pytest.raises(ValueError, match="keys: got 'elbo'"):
        learning_curve([{"epoch": 1}], {"elbo": "train"})


def test_learning_curves_stand_a_column_each_and_a_row_each():
    histories = {
        name: [{"epoch": e, "distance": scale / e, "estimate": scale * e} for e in (1, 2, 3)]
        for name, scale in (("clipping", 1.0), ("penalty", 5.0))
    }
    keys = {"distance": "exact", "estimate": "critic's"}
    figure = learning_curves(
        histories, keys, levels={"distance": 0.2}, xlabel="steps", steps_per_epoch=50
    )
    drawn(figure)
    left, right, below, _ = figure.axes
    curve, level = right.lines
    np.testing.assert_allclose(curve.get_xydata(), [[50, 5], [100, 2.5], [150, 5 / 3]])
    assert (level.get_ydata()[0], right.get_ylim()[0]) == (0.2, 0)
    np.testing.assert_allclose(below.lines[0].get_ydata(), [1, 2, 3])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["clipping", "penalty", "", ""]
    assert (left.get_ylabel(), below.get_ylabel(), below.get_xlabel()) == (
        "exact",
        "critic's",
        "steps",
    )

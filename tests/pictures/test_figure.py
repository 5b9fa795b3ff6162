"""Blank figures: of matplotlib, none of pyplot's, panel by panel."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxgen.pictures import blank, geometric_steps, legend_below, panels, plot, scatter_strip
from tests.pictures.drawing import drawn

ROOT = Path(__file__).parents[2]


def test_matplotlib_is_imported_where_it_is_used_and_pyplot_never():
    code = (
        "import sys, jaxgen.pictures as p; assert 'matplotlib' not in sys.modules;"
        "p.bars([1.0]); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


@pytest.mark.parametrize("draw", [lambda: blank(4.0, 3.0), plot, lambda: panels(["a"], columns=1)])
def test_without_matplotlib_the_error_names_the_extra(draw, monkeypatch):
    for module in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'jaxgen\[workbench\]'"):
        draw()


def test_a_plot_has_two_sides_and_its_words():
    figure, axes = plot("Bounds", "particles", "nats", size=(5.0, 3.0))
    assert figure.axes == [axes]
    assert (axes.get_title(loc="left"), axes.get_xlabel()) == ("Bounds", "particles")
    assert [side for side, spine in axes.spines.items() if spine.get_visible()] == [
        "left",
        "bottom",
    ]
    assert drawn(figure).shape == (3 * 150, 5 * 150, 3)


def test_panels_stand_in_reading_order_and_the_last_row_may_be_short():
    figure, axes = panels(["a", "b", "c"], columns=2, size=(2.0, 1.5), title="All", sharex=True)
    assert figure.axes == axes
    places = [a.get_subplotspec() for a in axes]
    assert [(p.rowspan.start, p.colspan.start) for p in places] == [(0, 0), (0, 1), (1, 0)]
    assert [a.get_title(loc="left") for a in axes] == ["a", "b", "c"]
    axes[0].plot([0, 1], [0, 1], label="line")
    legend_below(figure, axes[0])
    drawn(figure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["line"]
    # Numbers stand below the lowest of each column, on the scale of all.
    numbered = [any(t.get_text() for t in a.get_xticklabels() if t.get_visible()) for a in axes]
    assert numbered == [False, True, True]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: panels([], columns=2), "titles: got none"),
        (lambda: panels(["a"], columns=0), "columns: got 0"),
        (lambda: scatter_strip({}, np.zeros((1, 2))), "samples: got none, expected at least one"),
        (lambda: geometric_steps(-1, 3), "last: got -1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_many_panels_of_samples_stand_in_rows_of_equal_length():
    figure = scatter_strip({str(i): np.zeros((1, 2)) for i in range(11)}, np.ones((1, 2)))
    rows = [axes.get_subplotspec().rowspan.start for axes in figure.axes]
    assert rows == [0] * 6 + [1] * 5


@pytest.mark.parametrize(("last", "count"), [(0, 1), (0, 4), (5, 9), (100, 4), (10_000, 8)])
def test_steps_grow_from_the_first_to_the_last(last, count):
    steps = geometric_steps(last, count)
    assert steps[0] == 0
    assert count == 1 or steps[-1] == last
    assert len(steps) <= count
    assert np.all(np.diff(steps) > 0)
    assert np.all(np.diff(steps, 2) >= 0) or len(steps) == last + 1

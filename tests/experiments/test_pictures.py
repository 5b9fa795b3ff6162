"""Pictures: every pixel of every image is where it belongs on the canvas, and unblurred."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgen.pictures.curves import against_count
from jaxgen.pictures.images import (
    bars,
    image_grid,
    latent_grid,
    learning_curve,
    side_by_side,
    stacked_bars,
)

ROOT = Path(__file__).parents[2]


def drawn(figure):
    """What a PNG of the figure holds: [height, width, 3] in 0..255."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return np.asarray(Image.open(file).convert("RGB"))


def find(canvas, image, scale):
    """The places (top, left) where `image`, each pixel `scale` wide, stands on `canvas`."""
    big = np.round(255 * image).astype(np.uint8).repeat(scale, 0).repeat(scale, 1)
    height, width = big.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(canvas, (height, width, 3))[:, :, 0]
    corners = np.argwhere((canvas[:, :] == big[0, 0]).all(-1)[: len(windows), : windows.shape[1]])
    return [(y, x) for y, x in corners if (windows[y, x] == big).all()]


def levels(key, shape):
    """Random images whose gray levels are exact in 8 bits."""
    return np.random.default_rng(key).integers(0, 255, shape) / 255


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_grid_holds_each_image_in_reading_order(channels):
    images = levels(0, (5, 8, 8, channels))
    canvas = drawn(image_grid(images, columns=3, title="Samples"))
    places = [find(canvas, image, 10) for image in images]
    assert all(len(p) == 1 for p in places)
    (a, b, c, d, e) = (p[0] for p in places)
    assert a[0] == b[0] == c[0] < d[0] == e[0]
    assert a[1] == d[1] < b[1] == e[1] < c[1]


def test_large_images_are_not_blown_up_or_shrunk():
    images = levels(1, (2, 128, 96, 1))
    canvas = drawn(image_grid(images))
    assert all(len(find(canvas, image, 1)) == 1 for image in images)


def test_reconstructions_stand_below_their_originals():
    originals, reconstructions = levels(2, (5, 8, 8, 1)), levels(3, (5, 8, 8, 1))
    canvas = drawn(side_by_side(originals, reconstructions, columns=2))
    for i in range(4):
        (above,), (below,) = find(canvas, originals[i], 10), find(canvas, reconstructions[i], 10)
        assert above[1] == below[1]
        assert above[0] + 80 < below[0] < above[0] + 100
    assert not find(canvas, originals[4], 10)  # it would not fill a row


def test_the_latent_plane_grows_right_and_up():
    images = levels(4, (3, 3, 8, 8, 1))
    figure = latent_grid(images, [0.1, 0.5, 0.9])
    canvas = drawn(figure)
    corner = [images[0, 0], images[0, 1], images[1, 0]]
    (origin,), (right,), (up,) = (find(canvas, image, 10) for image in corner)
    assert right[0] == origin[0]
    assert right[1] > origin[1]
    assert up[1] == origin[1]
    assert up[0] < origin[0]
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_xticklabels()] == [".10", ".50", ".90"]
    lowest = np.argmax(axes.get_yticks())  # the picture's own y grows downwards
    assert axes.get_yticklabels()[lowest].get_text() == ".10"


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
        np.testing.assert_array_equal(ticks, np.round(ticks))  # whole epochs


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


def test_what_is_not_a_number_is_black_and_what_is_out_of_range_is_clipped():
    images = np.full((3, 8, 8, 1), 0.5)
    images[0, 0, 0], images[1], images[2] = np.nan, -1.0, 7.0
    black = np.zeros((8, 8, 1))
    canvas = drawn(image_grid(images))
    assert len(find(canvas, black, 10)) == 1
    assert find(canvas, black + 1, 10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: image_grid(np.zeros((8, 8, 1))), r"images: got shape \(8, 8, 1\)"),
        (lambda: image_grid(np.zeros((2, 8, 8, 2))), r"channels \(1 or 3\)"),
        (lambda: image_grid(np.zeros((0, 8, 8, 1))), r"images: got shape \(0,"),
        (
            lambda: side_by_side(np.zeros((2, 8, 8, 1)), np.zeros((3, 8, 8, 1))),
            r"reconstructions: got shape \(3,",
        ),
        (lambda: latent_grid(np.zeros((3, 2, 8, 8, 1)), [0.5] * 3), r"lattice of \(3, 2\)"),
        (lambda: learning_curve([{"epoch": 1}], {"elbo": "train"}), "keys: got 'elbo'"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_matplotlib_is_imported_where_it_is_used_and_pyplot_never():
    code = (
        "import sys, jaxgen.pictures.images as p; assert 'matplotlib' not in sys.modules;"
        "p.bars([1.0]); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)

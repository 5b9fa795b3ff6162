"""Pictures: every pixel of every image is where it belongs on the canvas, and unblurred."""

import numpy as np
import pytest

from jaxgen.pictures import image_grid, latent_grid, side_by_side
from tests.pictures.drawing import drawn


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


@pytest.mark.parametrize("names", [["original", "reconstructed"], ["gray", "drawn", "mean"]])
def test_images_of_one_place_stand_below_each_other_in_labeled_rows(names):
    rows = {name: levels(2 + i, (5, 8, 8, 1)) for i, name in enumerate(names)}
    figure = side_by_side(rows, columns=2)
    canvas = drawn(figure)
    for i in range(4):
        places = [find(canvas, images[i], 10) for images in rows.values()]
        assert all(len(found) == 1 for found in places)
        down, across = np.array([found[0] for found in places]).T
        assert len({*across.tolist()}) == 1
        assert np.all((np.diff(down) > 80) & (np.diff(down) < 100))
    assert not find(canvas, rows[names[0]][4], 10)  # it would not fill a row
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == names * 2


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


def test_images_of_another_scale_are_drawn_by_it():
    images = levels(5, (2, 8, 8, 1))
    canvas = drawn(image_grid(2 * images - 1, scale=(-1.0, 1.0)))
    assert all(len(find(canvas, image, 10)) == 1 for image in images)
    lattice = images[:1, None]
    assert find(drawn(latent_grid(2 * lattice - 1, [0.5], scale=(-1.0, 1.0))), images[0], 10)
    assert find(drawn(side_by_side({"tanh": 2 * images - 1}, scale=(-1.0, 1.0))), images[0], 10)


@pytest.mark.parametrize("images", [levels(6, (2, 8, 8, 1)) * 2 - 1, np.full((1, 8, 8, 3), 7.0)])
def test_values_outside_the_scale_are_refused_rather_than_clipped(images):
    """The half of a tanh image that is below zero would be black."""
    message = r"images: got values from .* expected 0 to 1: pass their own scale"
    for draw in (
        lambda: image_grid(images),
        lambda: side_by_side({"samples": images}),
        lambda: latent_grid(images[:1, None], [0.5]),
    ):
        with pytest.raises(ValueError, match=message):
            draw()


def test_what_is_not_finite_is_black():
    images = np.full((1, 8, 8, 1), 0.5)
    images[0, :3] = np.array([np.nan, np.inf, -np.inf])[:, None, None]
    seen = np.full((8, 8, 1), 0.5)
    seen[:3] = 0
    assert len(find(drawn(image_grid(images)), seen, 10)) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: image_grid(np.zeros((8, 8, 1))), r"images: got shape \(8, 8, 1\)"),
        (lambda: image_grid(np.zeros((2, 8, 8, 2))), r"channels \(1 or 3\)"),
        (lambda: image_grid(np.zeros((0, 8, 8, 1))), r"images: got shape \(0,"),
        (
            lambda: side_by_side({"a": np.zeros((2, 8, 8, 1)), "b": np.zeros((3, 8, 8, 1))}),
            r"rows: got shapes .*'b': \(3, 8",
        ),
        (lambda: side_by_side({}), "rows: got none"),
        (lambda: image_grid(np.zeros((1, 8, 8, 1)), columns=0), "columns: got 0"),
        (lambda: image_grid(np.zeros((1, 8, 8, 1)), scale=(1.0, 1.0)), r"scale: got \(1.0, 1.0\)"),
        (lambda: latent_grid(np.zeros((3, 2, 8, 8, 1)), [0.5] * 3), r"lattice of \(3, 2\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

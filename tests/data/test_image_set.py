"""One's own arrays and the embedded digits."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from jaxgen.data import dynamic, from_arrays, load, scale, threshold


def gray(shape=(4, 3, 3, 1)):
    return np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)


def test_own_arrays_are_kept():
    mine = from_arrays(gray(), np.array([3, 1, 2, 0]), binarization="dynamic")
    np.testing.assert_array_equal(mine.images, gray())
    np.testing.assert_array_equal(mine.labels, [3, 1, 2, 0])
    assert mine.labels.dtype == np.int32
    assert mine.prepare is dynamic.__wrapped__
    assert not mine.binary


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_zeros_and_ones_become_black_and_white(dtype):
    bits = np.array([0, 1, 1, 0], dtype).reshape(1, 2, 2, 1)
    mine = from_arrays(bits, binarization="dynamic")
    np.testing.assert_array_equal(mine.images, 255 * bits)
    assert mine.images.dtype == np.uint8
    assert mine.binary
    assert mine.prepare is threshold.__wrapped__


def test_what_prepare_does_without_being_asked_is_to_scale(key):
    mine = from_arrays(gray())
    assert mine.prepare is scale.__wrapped__
    np.testing.assert_allclose(mine.prepare(key, mine.images), gray() / 255, rtol=1e-6)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 3, 3, 1), np.float32), "images: got float32, expected integers 0 to 255"),
        (np.zeros((2, 3, 3, 1), bool), "images: got bool"),
        (np.full((2, 3, 3, 1), 256), "images: got values from 256 to 256"),
        (np.full((2, 3, 3, 1), -1), "images: got values from -1 to -1"),
        (np.zeros((2, 3, 3), np.uint8), r"images: got shape \(2, 3, 3\)"),
        (np.zeros((0, 3, 3, 1), np.uint8), r"images: got shape \(0, 3, 3, 1\)"),
    ],
)
def test_images_of_another_kind_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        from_arrays(images)


@pytest.mark.parametrize("labels", [np.zeros(3, int), np.zeros((4, 1), int), np.zeros(4)])
def test_labels_of_another_kind_are_refused(labels):
    with pytest.raises(ValueError, match=r"labels: got .* expected one integer for each of the 4"):
        from_arrays(gray(), labels)


def test_levels_are_those_that_prepare_gives():
    bits = np.array([0, 255, 255, 0], np.uint8).reshape(1, 2, 2, 1)
    fifths = np.array([0, 51, 204, 255], np.uint8).reshape(1, 2, 2, 1)
    assert from_arrays(gray()).levels == 256
    assert from_arrays(bits).levels == 2
    assert from_arrays(bits, levels=256).levels == 256
    assert from_arrays(fifths, levels=6).levels == 6
    for binarization in ("dynamic", "threshold"):
        assert from_arrays(fifths, levels=6, binarization=binarization).levels == 2
    assert load("digits", "test").levels == 17
    assert load("digits", "test[:1]", binarization="threshold").levels == 2


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        (17, r"levels: got 17 of images with a pixel of 1, expected pixels of round\(255 k / 16\)"),
        (1, "levels: got 1, expected an integer >= 2"),
        (257, "levels: got 257, expected at most 256"),
    ],
)
def test_levels_that_the_pixels_are_not_on_are_refused(levels, message):
    with pytest.raises(ValueError, match=message):
        from_arrays(gray(), levels=levels)


@pytest.mark.parametrize("label", [2**32 + 3, -(2**31) - 1])
def test_labels_beyond_int32_are_refused_rather_than_wrapped(label):
    with pytest.raises(ValueError, match=r"labels: got values from .*, expected int32"):
        from_arrays(gray(), np.array([0, 1, 2, label]))


def test_an_unknown_binarization_lists_the_known():
    with pytest.raises(ValueError, match=r"binarization: got 'otsu'.* none, threshold, dynamic"):
        from_arrays(gray(), binarization="otsu")
    with pytest.raises(ValueError, match="binarization: got 'otsu'"):
        load("digits", "train", binarization="otsu")


class TestDigits:
    def parts(self):
        return [load("digits", split) for split in ("train", "validation", "test")]

    def test_sizes_and_type(self):
        train, validation, test = self.parts()
        assert train.images.shape == (1297, 8, 8, 1)
        assert validation.images.shape == (200, 8, 8, 1)
        assert test.images.shape == (300, 8, 8, 1)
        assert train.images.dtype == np.uint8
        assert train.labels.dtype == np.int32
        assert train.images.max() == 255
        assert (train.name, train.split) == ("digits", "train")

    def test_the_parts_are_the_whole_set_once(self):
        raw = load_digits()

        def sorted_pairs(levels, labels):
            return sorted(map(tuple, np.column_stack([levels.reshape(-1, 64), labels]).astype(int)))

        images = np.concatenate([part.images for part in self.parts()])
        labels = np.concatenate([part.labels for part in self.parts()])
        levels = np.rint(images / 255 * 16)
        assert sorted_pairs(levels, labels) == sorted_pairs(raw.images, raw.target)

    def test_scikit_learn_is_imported_only_where_its_file_is_elsewhere(self, monkeypatch):
        loaded = "import sys; from jaxgen.data import load; load('digits', 'test'); print({})"
        loaded = loaded.format("'sklearn' in sys.modules")
        said = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True)
        assert said.stdout == "False\n", said.stderr
        here = self.parts()
        monkeypatch.setattr("jaxgen.data.digits.find_spec", lambda name: None)
        for one, other in zip(here, self.parts(), strict=True):
            np.testing.assert_array_equal(one.images, other.images)
            np.testing.assert_array_equal(one.labels, other.labels)

    def test_every_split_holds_the_classes_alike(self):
        overall = np.bincount(load_digits().target) / 1797
        for part in self.parts():
            counts = np.bincount(part.labels, minlength=10)
            assert np.abs(counts - overall * len(part.labels)).max() <= 2

    def test_the_split_never_moves(self):
        assert [part.labels[:10].tolist() for part in self.parts()] == [
            [3, 5, 1, 4, 6, 9, 7, 0, 2, 8],
            [0, 1, 5, 7, 3, 9, 2, 6, 4, 8],
            [3, 2, 0, 7, 9, 8, 4, 6, 5, 1],
        ]

    def test_slices_and_sums(self):
        train, _, test = self.parts()
        part = load("digits", "train[:10%]+test[-5:]")
        np.testing.assert_array_equal(part.images[:130], train.images[:130])
        np.testing.assert_array_equal(part.labels[130:], test.labels[-5:])
        assert len(load("digits", "all").images) == 1797

    @pytest.mark.parametrize("split", ["dev", "", "train[", "train[:9999]", "train[:1shard]"])
    def test_an_unknown_split_lists_the_known(self, split):
        with pytest.raises(ValueError, match=r"split: got .* train \(1,297 images\), validation"):
            load("digits", split)

    def test_prepare_runs_in_a_compiled_step(self):
        train = load("digits", "train", binarization="dynamic")

        @jax.jit
        def step(key, images):
            return jnp.mean(train.prepare(key, images))

        mean = step(jax.random.key(0), jnp.asarray(train.images))
        assert abs(float(mean) - train.images.mean() / 255) < 0.01  # 83,008 draws: 6 sigma


def test_lists_are_arrays_too():
    mine = from_arrays([[[[0], [3]]]], [7])
    assert mine.images.dtype == np.uint8
    np.testing.assert_array_equal(mine.labels, [7])

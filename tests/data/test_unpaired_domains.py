"""Tasks of known pairing: what training sees, and what it never sees."""

import numpy as np
import pytest

from jaxgen.data import (
    TRANSLATIONS,
    from_arrays,
    inverted,
    load,
    rare_upper_half,
    rotated_and_inverted,
    unpaired,
)


@pytest.fixture(scope="module")
def digits():
    return load("digits", "train+validation"), load("digits", "test")


@pytest.mark.parametrize("name", [*TRANSLATIONS])
def test_the_domains_share_no_image_and_the_test_is_paired(digits, name):
    train, test = digits
    task = unpaired(train, test, TRANSLATIONS[name])
    forward = TRANSLATIONS[name].forward
    np.testing.assert_array_equal(task.x, train.images[: len(task.x)])
    assert len(task.x) == 748
    # Y holds partners of the second half alone, so none of X's.
    of_second_half = {image.tobytes() for image in forward(train.images[len(task.x) :])}
    assert {image.tobytes() for image in task.y} <= of_second_half
    np.testing.assert_array_equal(task.test_y, forward(test.images))
    np.testing.assert_array_equal(task.test_labels, test.labels)
    assert len(task.y) == len(task.y_labels)


def test_the_maps():
    image = np.array([[1, 2], [3, 4]], np.uint8).reshape(1, 2, 2, 1)
    local, rotated = (TRANSLATIONS[name].forward(image) for name in ("local", "rotated"))
    np.testing.assert_array_equal(local[0, ..., 0], [[254, 253], [252, 251]])
    np.testing.assert_array_equal(rotated[0, ..., 0], [[253, 251], [254, 252]])


def test_y_lacks_nine_tenths_of_half_the_classes(digits):
    train, test = digits
    whole, rare = (unpaired(train, test, TRANSLATIONS[name]) for name in ("local", "imbalanced"))
    all_counts, counts = (np.bincount(task.y_labels) for task in (whole, rare))
    np.testing.assert_array_equal(counts[:5], all_counts[:5])
    np.testing.assert_array_equal(counts[5:], np.rint(0.1 * all_counts[5:]))
    np.testing.assert_array_equal(rare.test_y, whole.test_y)


def test_one_of_a_class_stays():
    labels = np.array([0, 1, 1, 3, 3, 3])
    np.testing.assert_array_equal(rare_upper_half(0.1)(labels), [1, 1, 1, 1, 0, 0])


def test_refused(digits):
    train, test = digits
    with pytest.raises(ValueError, match="train: got arrays without labels, expected some"):
        unpaired(from_arrays(train.images), test, TRANSLATIONS["local"])
    one = from_arrays(train.images[:1], train.labels[:1])
    with pytest.raises(ValueError, match="train: got 0 images for X and 1 for Y"):
        unpaired(one, test, TRANSLATIONS["local"])
    with pytest.raises(ValueError, match="share: got 1"):
        rare_upper_half(1.0)
    with pytest.raises(ValueError, match="translation: got 'sepia', expected one of local"):
        TRANSLATIONS["sepia"]


@pytest.mark.parametrize("translated", [inverted, rotated_and_inverted])
def test_floats_are_not_inverted_from_255(translated):
    with pytest.raises(ValueError, match="images: got float64, expected uint8 pixels"):
        translated(np.zeros((1, 2, 2, 1)))

"""The report of samples by class: what it says of the data themselves, and of samples mixed up."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import from_arrays
from jaxgen.workbench import Images, TrainedClassifier, known_classes, labels_of, load_features
from jaxgen.workbench.class_report import as_test, report_classes
from jaxgen.workbench.features import Classifier, save_classifier

rng = np.random.default_rng(0)


def split(count, classes=3, labeled=True):
    """Images whose class is their brightest third, and noise."""
    labels = np.arange(count) % classes
    images = rng.integers(0, 60, (count, 6, 6, 1), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2] += 150
    return from_arrays(images, labels if labeled else None, name="thirds")


IMAGES = Images(split(90), split(12), split(30))


@pytest.fixture(scope="module")
def classifier():
    return known_classes(None, jax.random.key(0), IMAGES)


def test_the_data_in_the_place_of_samples_are_as_good_as_data_and_mixed_up_are_not(classifier):
    features = load_features(None, (6, 6, 1))
    test = IMAGES.test
    same = report_classes(classifier, IMAGES, test.images, features)
    assert same.result["class_accuracy"] == same.result["class_accuracy_of_reals"] > 0.95
    np.testing.assert_allclose(same.result["class_frechet"], 0, atol=1e-3)
    assert min(same.result["class_frechet_of_reals"]) > 0.01
    other = report_classes(classifier, IMAGES, np.roll(test.images, 1, axis=0), features)
    assert other.result["class_accuracy"] < 0.05
    assert min(other.result["class_frechet"]) > max(other.result["class_frechet_of_reals"])
    assert [row[0] for row in same.rows[:3]] == [f"distance, class {k}" for k in range(3)]
    assert same.picture.get_axes()


def test_other_images_are_as_many_of_each_class():
    x, y = as_test(IMAGES, np.array([0] * 6 + [2] * 2))
    assert list(y) == [0] * 6 + [2] * 2
    np.testing.assert_array_equal(x[:4], IMAGES.validation.images[::3])
    np.testing.assert_array_equal(x[4:6], IMAGES.train.images[:6:3])


def test_labels_that_are_missing_or_of_other_classes_are_refused(tmp_path):
    num_classes, *labels = labels_of(IMAGES)
    assert num_classes == 3
    assert [len(y) for y in labels] == [90, 12, 30]
    bare = Images(*[split(12, labeled=False)] * 3)
    assert labels_of(bare, wanted=False).num_classes == 1
    with pytest.raises(ValueError, match="conditional: got thirds, which has no labels"):
        labels_of(bare)
    few = IMAGES._replace(train=split(90, classes=2))
    with pytest.raises(ValueError, match=r"labels: got values from 0 to 2, expected 0 to 1, the 2"):
        labels_of(few)
    net = Classifier(4)
    params = jax.jit(net.init)(jax.random.key(0), jnp.zeros((1, 6, 6, 1)))
    save_classifier(tmp_path, TrainedClassifier(net, params, (6, 6, 1)))
    with pytest.raises(
        ValueError, match="features: got a classifier of 4 classes, expected one of"
    ):
        known_classes(str(tmp_path), jax.random.key(0), IMAGES)

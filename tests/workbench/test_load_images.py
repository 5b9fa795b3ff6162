"""What a recipe trains on: prepared as its likelihood needs, refused by the flag at fault."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.workbench import (
    Classifier,
    ImageConfig,
    TrainedClassifier,
    first_images,
    generated_images,
    load_features,
    load_images,
    load_pixels,
    save_classifier,
)

CONFIG = ImageConfig()


@pytest.mark.parametrize(
    ("likelihood", "binarization", "on_lattice", "binary"),
    [
        ("bernoulli", "auto", True, True),
        ("bernoulli", "threshold", True, True),
        ("gaussian", "auto", False, False),
        ("discretized_logistic", "none", True, False),
    ],
)
def test_pixels_are_what_the_likelihood_models(likelihood, binarization, on_lattice, binary):
    for split in load_pixels(CONFIG, likelihood, binarization):
        x = np.asarray(split.prepare(jax.random.key(0), jnp.asarray(split.images[:8])))
        assert (np.abs(x * 255 - np.rint(x * 255)) < 1e-3).all() == on_lattice
        assert set(np.unique(x)) <= {0.0, 1.0} or not binary
        assert x.min() >= 0
        assert x.max() <= 1


def test_noise_for_the_gaussian_likelihood_fills_the_bins_of_the_set():
    images = load_pixels(CONFIG, "gaussian").train
    x = np.asarray(images.prepare(jax.random.key(0), jnp.asarray(images.images)))
    noise = x * 17 - np.rint(images.images / 255 * 16)
    np.testing.assert_allclose(noise.mean(), 0.5, atol=5 / np.sqrt(12 * noise.size))
    assert -1e-5 < noise.min() < 1e-3 < 1 - 1e-3 < noise.max() < 1


def test_pixels_of_the_bernoulli_likelihood_are_drawn_anew_unless_they_are_cut():
    for binarization, anew in (("auto", True), ("dynamic", True), ("threshold", False)):
        train = load_pixels(CONFIG, binarization=binarization).train
        x, y = (train.prepare(jax.random.key(i), jnp.asarray(train.images[:8])) for i in (0, 1))
        assert bool(jnp.any(x != y)) == anew


@pytest.mark.parametrize(
    ("likelihood", "binarization", "expected"),
    [
        ("bernoulli", "none", "'none' for the gray pixels of digits"),
        ("gaussian", "threshold", "'threshold' with the gaussian likelihood"),
        ("discretized_logistic", "dynamic", "'dynamic' with the discretized_logistic"),
    ],
)
def test_a_binarization_that_does_not_go_with_the_likelihood_is_refused(
    likelihood, binarization, expected
):
    with pytest.raises(ValueError, match=f"binarization: got {expected}"):
        load_pixels(CONFIG, likelihood, binarization)


def test_the_flag_is_named():
    with pytest.raises(ValueError, match=r"^dataset: got 'mnits'"):
        load_images(ImageConfig(dataset="mnits"))
    with pytest.raises(ValueError, match="batch_size: got 1298, expected at most 1297, the train"):
        load_images(ImageConfig(batch_size=1298))


def test_splits_are_chosen():
    train, validation, test = load_images(
        ImageConfig(batch_size=9), splits=("train[:9]", "train[9:]", "test[:3]")
    )
    assert [len(split.images) for split in (train, validation, test)] == [9, 1288, 3]


def test_more_images_than_a_split_has_are_refused_by_their_flag():
    test = load_images(CONFIG).test
    np.testing.assert_array_equal(first_images(test, 3), test.images[:3])
    with pytest.raises(ValueError, match="images: got 301, expected at most 300, the test images"):
        first_images(test, 301)


def test_a_generators_images_are_rounded_to_bytes_whatever_the_blocks():
    def generate(variables, z, *, train):
        assert not train
        return variables["scale"] * z.reshape(-1, 2, 1, 1), {}

    z = jnp.array([[0.0, 0.499 / 255], [0.501 / 255, 1.0], [0.5, 0.25]])
    for batch_size in (2, 100):
        found = generated_images(generate, {"scale": 1.0}, z, batch_size=batch_size)
        assert found.dtype == jnp.uint8
        np.testing.assert_array_equal(found.reshape(3, 2), [[0, 0], [1, 255], [128, 64]])


def test_features_are_the_pixels_or_a_classifiers_of_the_same_shape(tmp_path):
    images = np.arange(2 * 64, dtype=np.uint8).reshape(2, 8, 8, 1)
    np.testing.assert_allclose(
        load_features(None, (8, 8, 1))(images), images.reshape(2, 64) / 255, rtol=1e-6
    )
    net = Classifier(10, 5, (2, 2))
    params = net.init(jax.random.key(0), jnp.zeros((1, 8, 8, 1)))
    save_classifier(tmp_path, TrainedClassifier(net, params, (8, 8, 1)))
    expected = net.apply(params, jnp.asarray(images) / 255, method="features")
    found = load_features(tmp_path, (8, 8, 1))(images)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"features: got a classifier of images of shape \(8, 8"):
        load_features(tmp_path, (28, 28, 1))

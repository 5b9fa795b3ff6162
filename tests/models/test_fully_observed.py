"""Fully observed baselines, and the adversaries of likelihoods and of tests of samples."""

from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.neighbors import KernelDensity

from jaxgen.certify import check_density
from jaxgen.models import (
    LIKELIHOODS,
    categorical,
    full_gaussian,
    kmeans,
    memorizer,
    mixed,
    mixture_density,
    parzen_window,
    reshaped,
    standard_normal,
    tempered,
    uniform_levels,
)

LEVELS_3 = (0, 0.5, 1)
IMAGES = np.float32([[[0], [0.5]], [[1], [0]], [[0], [0.5]]])
NOISE = uniform_levels((2, 1), 3)
HALF = jnp.zeros((300, 2), jnp.bfloat16)
UNLIKE = mixed(NOISE, standard_normal(2), 0.5)

DENSITIES = {
    "memorizer": (memorizer(IMAGES), {"values": LEVELS_3}),
    "noisy copies": (parzen_window(IMAGES, 0.1), {}),
    "noise": (uniform_levels((2, 2, 1), 3), {"values": LEVELS_3}),
    "memorizer and noise": (mixed(memorizer(IMAGES), NOISE, 0.1), {"values": LEVELS_3}),
    "densities mixed": (mixed(standard_normal(2), parzen_window(IMAGES[..., 0], 0.3), 0.3), {}),
    "copies in half precision": (parzen_window(HALF, 0.1), {}),
    "reshaped": (reshaped(mixture_density(full_gaussian(), 2, 2), (2, 1)), {}),
}


@pytest.mark.parametrize("name", DENSITIES)
def test_each_is_a_density(name):
    density, settings = DENSITIES[name]
    check_density(density, density.init(jax.random.key(0), ()), jax.random.key(1), **settings)


def test_a_memorizer_knows_its_points_and_nothing_else():
    p = memorizer(IMAGES)
    p = p.distribution(p.init(jax.random.key(0), ()), ())
    asked = jnp.asarray([IMAGES[0], IMAGES[1], IMAGES[1] + 0.5])
    np.testing.assert_allclose(jnp.exp(p.log_prob(asked)), [2 / 3, 1 / 3, 0.0], rtol=1e-6)


@pytest.mark.parametrize(("dims", "bandwidth"), [(3, 0.4), (784, 0.4), (784, 0.05)])
def test_noisy_copies_have_the_density_that_scikit_learn_gives(dims, bandwidth):
    """By differences in few dimensions, by a product in many."""
    xs = np.random.default_rng(0).uniform(size=(50, dims)).astype(np.float32)
    p = parzen_window(xs, bandwidth)
    near = xs[:5] + bandwidth / 4
    scores = p.distribution(p.init(jax.random.key(0), ()), ()).log_prob(jnp.asarray(near))
    expected = KernelDensity(bandwidth=bandwidth).fit(xs).score_samples(near)
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_a_hundredth_of_a_model_loses_at_most_log_100():
    model = memorizer(IMAGES)
    spoiled = mixed(model, NOISE, 0.01)
    of_model = model.distribution(model.init(jax.random.key(0), ()), ()).log_prob(IMAGES)
    of_spoiled = spoiled.distribution(spoiled.init(jax.random.key(0), ()), ()).log_prob(IMAGES)
    loss = np.asarray(of_model - of_spoiled)
    assert (loss <= np.log(100)).all()
    np.testing.assert_allclose(np.exp(of_spoiled), 0.01 * np.exp(of_model) + 0.99 / 9, rtol=1e-5)


def test_a_temperature_takes_each_entry_to_a_power():
    outputs = jnp.asarray(np.random.default_rng(0).normal(size=(2, 2, 1, 3)), jnp.float32)
    head = categorical(3)
    p, sharper = (of.distribution(outputs) for of in (head, tempered(head, 0.5)))
    probabilities = jax.nn.softmax(p.distribution.logits) ** 2
    expected = probabilities / probabilities.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(jax.nn.softmax(sharper.distribution.logits), expected, rtol=1e-5)
    coins = tempered(LIKELIHOODS["bernoulli"], 2.0).distribution(outputs[..., :1])
    np.testing.assert_allclose(coins.distribution.logits, outputs[..., 0] / 2, rtol=1e-6)


def test_centroids_are_the_means_of_what_is_nearest_to_them():
    xs = np.random.default_rng(0).normal(size=(60, 2, 1)).astype(np.float32)
    centroids, labels = kmeans(xs, 4)
    assert (centroids.shape, centroids.dtype) == ((4, 2, 1), np.float32)
    for k in range(4):
        np.testing.assert_allclose(centroids[k], xs[labels == k].mean(axis=0), atol=1e-5)
    distances = ((xs[:, None] - centroids) ** 2).sum(axis=(2, 3))
    np.testing.assert_array_equal(distances.argmin(axis=1), labels)


def of_a_gaussian(head_of):
    """A log probability whose numbers are no logits."""
    return head_of(LIKELIHOODS["gaussian"], 2.0).distribution(jnp.ones((2, 2, 1, 2)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: memorizer(np.zeros((0, 2), np.float32)), r"points: got shape \(0, 2\)"),
        (lambda: unwrap(memorizer)(jnp.ones(())), r"points: got shape \(\), expected at least one"),
        (lambda: unwrap(memorizer)(np.uint8(IMAGES)), "points: got uint8, expected floating"),
        (lambda: unwrap(parzen_window)(np.int32(IMAGES), 1.0), "points: got int32, expected flo"),
        (lambda: unwrap(kmeans)(np.uint8(IMAGES), 2), "xs: got uint8, expected floating-point"),
        (lambda: of_a_gaussian(tempered), "head: got one of Normal, expected one whose numbers"),
        (lambda: parzen_window(IMAGES, 0.0), "bandwidth: got 0.0"),
        (lambda: mixed(NOISE, NOISE, 1.0), "share: got 1.0"),
        (lambda: UNLIKE.distribution({"p": {}, "q": {}}, ()), "q: got events of shape"),
        (lambda: reshaped(standard_normal(3), (2, 1)).distribution({}, ()), "x_shape: got"),
        (lambda: uniform_levels((2,), 1), "levels: got 1"),
        (lambda: tempered(categorical(3), 0.0), "temperature: got 0.0"),
        (lambda: kmeans(IMAGES, 4), "count: got 4, expected at most 3"),
    ],
)
def test_malformed_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()

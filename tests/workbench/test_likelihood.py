"""Losses, judge, test and draws of exact likelihoods, against the density itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import workbench as wb
from jaxgen.data import from_arrays, load
from jaxgen.models import LIKELIHOODS, autoregressive
from jaxgen.nets import MADE
from jaxgen.train import mean_over_batch

CLASSES = jnp.eye(3)
DENSITY = autoregressive(MADE((4,), dropout=0.5), LIKELIHOODS["bernoulli"], (2, 2, 1))


@pytest.fixture(scope="module")
def images():
    pixels = np.random.default_rng(0).integers(0, 2, (7, 2, 2, 1))
    return from_arrays(pixels, np.array([0, 1, 2, 2, 1, 0, 0]))


@pytest.fixture(scope="module")
def params():
    return jax.jit(DENSITY.init)(jax.random.key(0), CLASSES[0])


def exact(params, images):
    """log p(x | class) of every image and class."""
    x = jnp.asarray(images.images / 255, jnp.float32)
    return jnp.stack([DENSITY.distribution(params, c).log_prob(x) for c in CLASSES], axis=1)


def test_the_test_the_judge_and_the_loss_are_the_density(images, params, key):
    each = exact(params, images)
    np.testing.assert_allclose(wb.log_probs(DENSITY, params, key, images, CLASSES), each, rtol=1e-5)
    data = wb.with_classes(images)
    nll = -jnp.mean(each[jnp.arange(7), images.labels])
    judged = wb.judge_nll(DENSITY, images.prepare)(params, jax.random.clone(key), data)
    np.testing.assert_allclose(judged["nll"], nll, rtol=1e-5)
    keys = jax.random.split(jax.random.clone(key))
    for training, same in ((False, True), (True, False)):
        log_prob = wb.exact_log_prob(DENSITY, training=training)
        loss = mean_over_batch(wb.negative_log_prob(log_prob, images.prepare))
        value, info = loss(params, keys[int(training)], data)
        assert value == info["nll"]
        assert np.allclose(value, nll, rtol=1e-5) == same  # dropout is for training


def test_draws_take_the_contexts_in_turn(params, key):
    x, passes = wb.fixed_point_draws(DENSITY, params, key, 6, CLASSES)
    keys = jax.random.split(jax.random.clone(key), 6)
    expected = [DENSITY.distribution(params, CLASSES[i % 3]).sample(seed=keys[i]) for i in (1, 5)]
    np.testing.assert_array_equal(x[jnp.array([1, 5])], jnp.stack(expected))
    assert passes.shape == (6,)
    assert int(passes.max()) <= 4


def test_images_without_classes_have_no_context_and_classes_need_labels(images):
    assert wb.with_classes(images, False)[1] == ()
    with pytest.raises(ValueError, match="conditional: got digits, which has no labels"):
        wb.with_classes(load("digits", "test")._replace(labels=None))

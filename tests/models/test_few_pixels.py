"""Random pixels against the whole image, and one pixel after another against the conditionals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected

from jaxgen.models import (
    LIKELIHOODS,
    autoregressive,
    categorical,
    sample_by_pixels,
    subsampled_log_prob,
)
from jaxgen.nets import GatedPixelCNN, PixelCNN

SHAPE = (4, 3, 2)
HEAD = categorical(3)
NET = PixelCNN(HEAD.outputs, features=4, rows=2, reach=2, layers=1)
MODEL = autoregressive(NET, HEAD, SHAPE)
CONTEXT = jnp.arange(2.0)
WEIGHTS = np.arange(1.0, 13.0).reshape(4, 3)


@pytest.fixture(scope="module")
def params():
    zeros = jax.eval_shape(MODEL.init, jax.random.key(0), CONTEXT)
    numbers = np.random.default_rng(0)
    return jax.tree.map(lambda p: jnp.asarray(numbers.normal(0, 0.5, p.shape), "f4"), zeros)


@pytest.fixture(scope="module")
def x():
    return jax.random.randint(jax.random.key(1), SHAPE, 0, 3) / 2


def exact(params, x):
    return jax.jit(lambda p: MODEL.distribution(p, CONTEXT).log_prob(x))(params)


def draws(log_prob, params, x, num_draws):
    keys = jax.random.split(jax.random.key(2), num_draws)
    return jax.jit(jax.vmap(lambda key: log_prob(params, key, x, CONTEXT)))(keys)


def test_all_pixels_once_are_the_whole_image_for_every_key(params, x):
    found = draws(subsampled_log_prob(NET, HEAD, 12), params, x, 10)
    np.testing.assert_allclose(found, exact(params, x), rtol=1e-5)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])
def test_the_mean_over_keys_is_the_log_probability_and_its_slope(weights, params, x):
    """False alarms: 1e-6. A twin that is 3% off is seen."""
    log_prob = subsampled_log_prob(NET, HEAD, 5, weights)
    keys = jax.random.split(jax.random.key(2), 4000)

    def value_and_slope(f):
        value, slopes = jax.value_and_grad(f)(params)
        return jnp.stack([value, slopes["params"]["convolution"]["kernel"].sum()])

    each = jax.jit(jax.vmap(lambda k: value_and_slope(lambda p: log_prob(p, k, x, CONTEXT))))(keys)
    truth = jax.jit(lambda: value_and_slope(lambda p: MODEL.distribution(p, CONTEXT).log_prob(x)))()
    assert_unbiased(each, truth)
    with rejected():
        assert_unbiased(each * 0.97, truth)


def test_weights_in_proportion_to_what_pixels_say_leave_no_noise(params, x):
    """Importance sampling's zero variance: p_i in proportion to log p(x_i | x before i)."""
    conditionals = MODEL.distribution(params, CONTEXT).conditionals(x)
    each = -np.asarray(conditionals.distribution.log_prob(x)).sum(axis=-1)
    found = draws(subsampled_log_prob(NET, HEAD, 3, each), params, x, 100)
    np.testing.assert_allclose(found, exact(params, x), rtol=1e-5)
    alike = draws(subsampled_log_prob(NET, HEAD, 3), params, x, 100)
    assert np.std(alike) > 1


def test_each_drawn_pixel_is_its_own_resample(params, key):
    """The certificate of a draw: x_i = sample(p(. | x before i), noise i), for every i at once."""
    x = jax.jit(sample_by_pixels(NET, HEAD, SHAPE))(params, key, CONTEXT)
    keys = jax.random.split(jax.random.clone(key), 12)

    def resampled(x):
        outputs = NET.apply(params, (x, CONTEXT)).reshape(12, 2, 3)
        return jax.vmap(lambda o, key: HEAD.distribution(o).sample(seed=key))(outputs, keys)

    np.testing.assert_array_equal(jax.jit(resampled)(x).reshape(SHAPE), x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: subsampled_log_prob(NET, HEAD, 0), "num_pixels: got 0, expected an integer >= 1"),
        (lambda: subsampled_log_prob(NET, HEAD, 1, 0 * WEIGHTS), "weights: got 0.0 among them"),
        (
            lambda: subsampled_log_prob(GatedPixelCNN(1), LIKELIHOODS["bernoulli"], 1),
            "net: got a GatedPixelCNN, expected one with a method `pixels`",
        ),
    ],
)
def test_malformed_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_weights_of_another_size_are_refused(params, x, key):
    log_prob = subsampled_log_prob(NET, HEAD, 1, WEIGHTS.T)
    with pytest.raises(ValueError, match=r"weights: got shape \(3, 4\), expected \(4, 3\)"):
        log_prob(params, key, x, CONTEXT)

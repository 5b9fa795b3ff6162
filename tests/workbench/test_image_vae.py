"""The models that recipes share: their losses, their judge, and what is measured of images."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import load
from jaxgen.train import mean_over_batch
from jaxgen.workbench import (
    image_belief_network,
    image_by_image,
    image_vae,
    judge_by,
    map_in_blocks,
    mean_image,
    mean_over_draws,
    mean_over_images,
    negative_elbo,
)


@pytest.fixture(scope="module")
def small():
    """Thirteen images, the negative ELBO of a VAE of them and its params."""
    images = load("digits", "test[:13]", binarization="dynamic")
    model = image_vae(images, (8,), 3)
    return images, negative_elbo(model, images.prepare), jax.jit(model.init)(jax.random.key(0))


def test_the_loss_is_beta_kl_less_reconstruction(small, key):
    images, one, params = small

    @jax.jit
    def loss(beta, key):
        return mean_over_batch(partial(one, beta=beta))(params, key, jnp.asarray(images.images))

    for beta in (0.0, 0.5, 3.0):
        value, info = loss(beta, jax.random.clone(key))
        np.testing.assert_allclose(value, beta * info["kl"] - info["reconstruction"], rtol=1e-6)
        np.testing.assert_allclose(info["elbo"], info["reconstruction"] - info["kl"], rtol=1e-5)


def test_the_judge_says_the_mean_terms(small, key):
    images, one, params = small
    judged = judge_by(mean_over_batch(one))(params, jax.random.clone(key), images.images)
    _, terms = jax.jit(mean_over_batch(one))(params, key, images.images)
    assert judged == terms


def test_every_image_is_measured_with_a_key_of_its_own(small, key):
    images, one, params = small
    measure = image_by_image(lambda *arguments: one(*arguments)[1], batch_size=5)
    together = measure(params, jax.random.clone(key), images.images)
    assert together["elbo"].shape == (13,)
    keys = jax.random.split(jax.random.clone(key), 13)
    alone = jax.jit(one)(params, keys[12], jnp.asarray(images.images[12]))[1]["elbo"]
    np.testing.assert_allclose(together["elbo"][12], alone, rtol=1e-5)
    in_blocks = map_in_blocks(partial(measure, params), key, images.images, "", block_size=7)
    assert in_blocks["elbo"].shape == (13,)
    assert in_blocks["elbo"].dtype == np.float64


def test_an_untrained_belief_network_without_hidden_layers_says_the_mean_image(small, key):
    images, _, _ = small
    model = image_belief_network(images.images, (), 3)
    params = jax.jit(model.init)(key)
    mean = mean_image(images.images)
    np.testing.assert_allclose(mean, (images.images / 255).mean(axis=0), rtol=1e-6)
    decoded = model.decode(params, jnp.zeros(3)).mean()
    # Of a pixel that is always 0 or always 1 the logit is kept finite.
    np.testing.assert_allclose(decoded, mean, atol=0.02)


def test_standard_errors_are_of_the_images_or_of_the_draws_alone():
    """Images far apart, draws close: over 10,000 repeats, to four standard errors."""
    rng = np.random.default_rng(0)
    images = np.array([[-30.0], [0.0], [30.0]])
    repeats = images + rng.normal(size=(10_000, 3, 4))
    means = [mean_over_draws(values) for values in repeats]
    spread = np.std([mean.value for mean in means])
    np.testing.assert_allclose(spread, 1 / np.sqrt(12), rtol=4 / np.sqrt(20_000))
    squares = np.mean([mean.stderr**2 for mean in means])
    np.testing.assert_allclose(squares, 1 / 12, rtol=4 * np.sqrt(2 / 90_000))
    mean = mean_over_images(images[:, 0])
    assert mean == pytest.approx((0.0, 30 / np.sqrt(3)))

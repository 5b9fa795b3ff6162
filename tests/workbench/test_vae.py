"""The VAE that recipes share: its loss, its judge, and what is measured image by image."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import load
from jaxgen.train import mean_over_batch
from jaxgen.workbench import (
    image_by_image,
    image_vae,
    judge_by,
    map_in_blocks,
    negative_elbo,
)


@pytest.fixture(scope="module")
def small():
    """Thirteen images, the negative ELBO of a VAE of them and its params."""
    images = load("digits", "test[:13]", binarization="dynamic")
    model = image_vae(images.images, (8,), 3)
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

"""Parzen windows against scikit-learn, and the reason not to believe them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.neighbors import KernelDensity

from jaxgen.data import load
from jaxgen.metrics import parzen_bandwidth, parzen_log_likelihood

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("dims", "block_size"), [(3, 7), (64, 1000)])
def test_against_scikit_learn_whatever_the_blocks(dims, block_size):
    samples, points = RNG.normal(size=(50, dims)) + 5, RNG.normal(size=(20, dims)) + 5
    expected = KernelDensity(bandwidth=0.4).fit(samples).score_samples(points)
    log_likelihood = jax.jit(parzen_log_likelihood, static_argnames="block_size")
    found = log_likelihood(*map(np.float32, (points, samples)), 0.4, block_size=block_size)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_likeliest_bandwidth_is_chosen():
    samples, validation = RNG.normal(size=(2, 200, 2)).astype("f4")
    bandwidths = np.geomspace(0.05, 2.0, 9, dtype="f4")
    scores = [KernelDensity(bandwidth=float(h)).fit(samples).score(validation) for h in bandwidths]
    choose = jax.jit(parzen_bandwidth)
    assert choose(validation, samples, bandwidths) == bandwidths[np.argmax(scores)]
    validation[3, 1] = np.nan
    assert jnp.isnan(choose(validation, samples, bandwidths))


def test_it_prefers_centroids_to_real_images():
    train, validation, test = (
        jnp.asarray(load("digits", split).images.reshape(-1, 64) / 255, jnp.float32)
        for split in ("train", "validation", "test")
    )
    centroids = KMeans(100, n_init=1, random_state=0).fit(train).cluster_centers_
    bandwidths = jnp.geomspace(0.1, 0.5, 10)

    def score(samples):
        bandwidth = parzen_bandwidth(validation, samples, bandwidths)
        return parzen_log_likelihood(test, samples, bandwidth).mean()

    assert score(jnp.asarray(centroids)) > score(train[:100]) + 1


def test_misuse_is_named():
    with pytest.raises(ValueError, match=r"bandwidth: got 0\.0, expected a positive number"):
        parzen_log_likelihood(jnp.zeros((3, 2)), jnp.zeros((3, 2)), 0.0)
    with pytest.raises(ValueError, match=r"samples: got samples of shape \(1,\), expected \(2,\)"):
        parzen_log_likelihood(jnp.zeros((3, 2)), jnp.zeros((3, 1)), 1.0)

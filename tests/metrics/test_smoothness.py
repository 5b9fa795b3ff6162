"""Jacobian norms and the information in latents against linear algebra and enumeration."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from scipy import stats

from jaxgen.metrics import jacobian_norms, latent_information, rate_terms


@pytest.mark.parametrize("shape", [(2, 6), (6, 2)])
def test_a_linear_map_has_the_norms_of_its_matrix(shape):
    matrix = np.random.default_rng(0).normal(size=shape)
    norms = jacobian_norms(
        lambda x: jnp.asarray(matrix, jnp.float32) @ x.reshape(-1), jnp.ones((shape[1] // 2, 2))
    )
    np.testing.assert_allclose(norms.frobenius, np.linalg.norm(matrix), rtol=1e-5)
    np.testing.assert_allclose(norms.spectral, np.linalg.svd(matrix)[1][0], rtol=1e-5)


def test_the_norms_are_those_at_the_point():
    norms = jax.vmap(lambda x: jacobian_norms(jnp.tanh, x))(jnp.array([[0.0, 0.0], [0.0, 3.0]]))
    slopes = 1 - np.tanh(np.array([[0.0, 0.0], [0.0, 3.0]])) ** 2
    np.testing.assert_allclose(norms.spectral, slopes.max(axis=1), rtol=1e-5)
    np.testing.assert_allclose(norms.frobenius, np.linalg.norm(slopes, axis=1), rtol=1e-5)


MEANS = jnp.array([-2.0, -0.5, 0.0, 3.0])
SCALES = jnp.array([0.5, 1.0, 0.3, 1.5])


def information(key):
    qs = distrax.Normal(MEANS, SCALES)
    return latent_information(qs.sample(seed=key), qs.log_prob)


def test_the_information_is_unbiased_for_the_entropies_difference():
    draws = jax.jit(jax.vmap(information))(jax.random.split(jax.random.key(0), 20_000))
    grid = np.linspace(-15, 15, 40_001)
    densities = stats.norm(MEANS[:, None], SCALES[:, None]).pdf(grid)
    mixture = densities.mean(axis=0)
    entropy = -np.trapezoid(mixture * np.log(np.maximum(mixture, 1e-300)), grid)
    truth = entropy - stats.norm(MEANS, SCALES).entropy().mean()
    assert_unbiased(draws.mean(axis=1), truth)
    with rejected():  # the own density left out of the mixture
        assert_unbiased(draws.mean(axis=1) + np.log(4 / 3), truth)


def test_the_rate_is_information_and_the_mismatch_of_the_aggregate_posterior():
    """KL(q(z) || p(z)) by quadrature; the rate in closed form."""
    prior = distrax.Normal(0.5, 2.0)

    def terms(key):
        qs = distrax.Normal(MEANS, SCALES)
        return rate_terms(qs.sample(seed=key), qs, prior)

    found = jax.jit(jax.vmap(terms))(jax.random.split(jax.random.key(0), 20_000))
    grid = np.linspace(-15, 15, 40_001)
    mixture = stats.norm(MEANS[:, None], SCALES[:, None]).pdf(grid).mean(axis=0)
    ratio = np.log(np.maximum(mixture, 1e-300)) - stats.norm(0.5, 2.0).logpdf(grid)
    mismatch = np.trapezoid(mixture * ratio, grid)
    assert_unbiased(found.mismatch, mismatch)
    with rejected():
        assert_unbiased(found.mismatch, 1.2 * mismatch)
    means, scales = np.asarray(MEANS, float), np.asarray(SCALES, float)
    rate = np.log(2 / scales) + (scales**2 + (means - 0.5) ** 2) / 8 - 0.5
    np.testing.assert_allclose(found.rate, rate.mean(), rtol=1e-5)
    np.testing.assert_allclose(found.information + found.mismatch, found.rate, rtol=1e-5)


def test_the_rate_is_of_the_datapoints_that_have_latents():
    means = 100 * jnp.arange(50.0)
    own, prior = distrax.Normal(means[:2], 1.0), distrax.Normal(0.0, 1.0)
    found = rate_terms(means[:2], own, prior, distrax.Normal(means, 1.0).log_prob)
    np.testing.assert_allclose(found.rate, 100**2 / 4)
    np.testing.assert_allclose(found.information, np.log(50), rtol=1e-6)


def test_latents_that_name_their_datapoint_hold_log_n():
    zs = 100 * jnp.arange(7.0)
    values = latent_information(zs, lambda z: -0.5 * (z - zs) ** 2)
    np.testing.assert_allclose(values, np.log(7), rtol=1e-6)
    np.testing.assert_allclose(latent_information(zs, lambda z: jnp.zeros(7)), 0.0, atol=1e-6)


def test_more_datapoints_than_latents_measure_more():
    zs = 100 * jnp.arange(50.0)
    values = latent_information(zs[:2], lambda z: -0.5 * (z - zs) ** 2)
    np.testing.assert_allclose(values, np.log(50), rtol=1e-6)


def test_a_density_per_datapoint_is_asked_for():
    with pytest.raises(ValueError, match=r"log_q: got shape \(3,\), expected \(m >= 7,\)"):
        latent_information(jnp.zeros(7), lambda z: jnp.zeros(3))

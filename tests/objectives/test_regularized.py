"""Free bits, InfoVAE and the denoising encoder against what they are by hand."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from linear_gaussian import example

from jaxgen.divergences import rbf
from jaxgen.objectives import ElboTerms, aggregate_mmd, denoising_elbo, elbo, free_bits, info_elbo

MODEL, X = example()
DRAWS = 20_000


def test_free_bits_charge_the_larger_of_the_level_and_the_batch_mean():
    kl = jnp.array([[0.1, 2.0, 0.5], [0.3, 0.0, 0.7], [0.2, 1.0, 0.9]])
    expected = 0.25 + 1.0 + 0.7  # of column means .2, 1 and .7
    values, gradient = jax.value_and_grad(lambda kl: jnp.mean(free_bits(kl, 0.25)))(kl)
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert free_bits(kl, 0.25).shape == (3,)
    # Above the level the gradient is that of the KL, also where one datapoint's is below it.
    np.testing.assert_allclose(gradient, np.tile([0.0, 1 / 3, 1 / 3], (3, 1)), rtol=1e-6)
    np.testing.assert_allclose(free_bits(kl, 0.0), kl.sum(axis=1))
    np.testing.assert_allclose(free_bits(kl, 9.0), 27.0)


def test_free_bits_hide_no_nan():
    charged = free_bits(jnp.array([[0.2, jnp.nan], [0.3, 1.0]]), 0.1)
    assert np.isnan(charged[0])


def test_free_bits_of_each_datapoint_would_be_another_objective():
    # Clipped before the mean, as is often written: it charges more, and is not the paper's.
    kl = jnp.array([[0.0], [1.0]])
    assert free_bits(kl, 0.4).mean() == pytest.approx(0.5)
    assert jnp.maximum(kl, 0.4).sum(axis=1).mean() == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("shape", "level", "message"),
    [((3,), 0.1, r"kl: got shape \(3,\)"), ((3, 2), -0.1, "free_nats: got -0.1")],
)
def test_free_bits_refuse_a_vector_and_a_negative_level(shape, level, message):
    with pytest.raises(ValueError, match=message):
        free_bits(jnp.ones(shape), level)


def mmd_of_gaussians(mean, scale, bandwidth):
    """Squared MMD between N(mean, scale²) and N(0, 1) under the Gaussian kernel, one dimension."""

    def expected(mean, variance):
        width = bandwidth**2 + variance
        return bandwidth / np.sqrt(width) * np.exp(-0.5 * mean**2 / width)

    own = expected(0.0, 2 * scale**2) + expected(0.0, 2.0)
    return own - 2 * expected(mean, scale**2 + 1)


def test_the_mean_of_the_aggregate_mmd_is_unbiased_with_its_gradient():
    mean, scale, bandwidth = 0.7, 0.5, 1.3

    def estimate(parameters, key):
        key_q, key_p = jax.random.split(key)
        zs = parameters[0] + parameters[1] * jax.random.normal(key_q, (6, 1))
        values = aggregate_mmd(zs, jax.random.normal(key_p, (4, 1)), rbf(bandwidth))
        assert values.shape == (6,)
        return values.mean()

    keys = jax.random.split(jax.random.key(0), DRAWS)
    of_all = jax.jit(jax.vmap(jax.value_and_grad(estimate), (None, 0)))
    values, gradients = of_all(jnp.array([mean, scale]), keys)
    assert_unbiased(values, mmd_of_gaussians(mean, scale, bandwidth))
    step = 1e-5
    truth = [
        (
            mmd_of_gaussians(mean + step * at[0], scale + step * at[1], bandwidth)
            - mmd_of_gaussians(mean - step * at[0], scale - step * at[1], bandwidth)
        )
        / (2 * step)
        for at in np.eye(2)
    ]
    assert_unbiased(gradients, truth)
    with rejected():
        assert_unbiased(1.1 * gradients, truth)


def test_half_the_gradient_is_seen():
    # A witness held still, as if each datapoint moved alone, would pull half as hard.
    def held(zs, ys):
        kernel = rbf(1.0)
        others = 1 - jnp.eye(len(zs))
        own = (kernel(zs, jax.lax.stop_gradient(zs)) * others).sum(axis=1) / (len(zs) - 1)
        return jnp.mean(own - 2 * kernel(zs, ys).mean(axis=1))

    def direct(zs, ys):
        kernel = rbf(1.0)
        return (kernel(zs, zs) * (1 - jnp.eye(5))).sum() / 20 - 2 * kernel(zs, ys).mean()

    def whole(zs, ys):
        return aggregate_mmd(zs, ys, rbf(1.0)).mean()

    zs = jax.random.normal(jax.random.key(0), (5, 2))
    ys = jax.random.normal(jax.random.key(1), (7, 2))
    gradients = jax.jit(lambda *of: [jax.grad(f)(*of) for f in (whole, direct, held)])(zs, ys)
    np.testing.assert_allclose(gradients[0], gradients[1], atol=1e-6)
    assert np.abs(gradients[0] - gradients[2]).max() > 1e-3


def test_info_elbo_weighs_its_terms():
    terms = ElboTerms(jnp.array([-3.0, -5.0]), jnp.array([1.0, 2.0]))
    divergence = jnp.array([0.1, -0.2])
    elbo_of = info_elbo(terms, divergence, alpha=0.0, weight=1.0)
    np.testing.assert_allclose(elbo_of, terms.reconstruction - terms.kl)
    mmd_vae = info_elbo(terms, divergence, alpha=1.0, weight=10.0)
    np.testing.assert_allclose(mmd_vae, terms.reconstruction - 10 * divergence)
    between = jax.jit(info_elbo)(terms, divergence, alpha=0.25, weight=3.0)
    np.testing.assert_allclose(between, terms.reconstruction - 0.75 * terms.kl - 2.25 * divergence)


@pytest.mark.parametrize(
    ("alpha", "weight", "message"),
    [(1.5, 1.0, "alpha: got 1.5"), (0.5, 0.2, "weight: got 0.2"), (float("nan"), 1.0, "alpha")],
)
def test_info_elbo_refuses_a_term_that_would_be_climbed(alpha, weight, message):
    terms = ElboTerms(jnp.array(-3.0), jnp.array(1.0))
    with pytest.raises(ValueError, match=message):
        info_elbo(terms, jnp.array(0.1), alpha=alpha, weight=weight)


def test_info_elbo_refuses_a_divergence_of_another_shape():
    """Four terms with a divergence of [4, 1] were broadcast to [4, 4]."""
    terms = ElboTerms(jnp.zeros(4), jnp.zeros(4))
    with pytest.raises(ValueError, match=r"divergence: got shape \(4, 1\), expected \(4,\)"):
        info_elbo(terms, jnp.zeros((4, 1)), alpha=0.5, weight=1.0)


ENCODER = np.array([[0.4, -0.2, 0.1], [0.3, 0.5, -0.6]])
SCALE = np.array([0.6, 0.9])


def normal_noise(scale):
    return lambda key, x: x + scale * jax.random.normal(key, x.shape)


def encode(x):
    mean = jnp.asarray(ENCODER, jnp.float32) @ x
    return distrax.Independent(distrax.Normal(mean, jnp.asarray(SCALE, jnp.float32)), 1)


def test_the_denoising_elbo_is_the_mean_over_noise_of_the_clean_datapoints_elbo():
    noise = 0.7

    @jax.jit
    @jax.vmap
    def draws(key):
        return denoising_elbo(
            key, lambda z: MODEL.log_likelihood(X, z), encode, X, MODEL.prior, normal_noise(noise)
        )

    # Quadratic in the mean, which is Gaussian under the noise: three nodes are exact.
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    covariance_root = np.linalg.cholesky(ENCODER @ ENCODER.T) * noise
    expected = sum(
        (w0 * w1)
        / (2 * np.pi)
        * np.array(
            MODEL.elbo_terms(
                X, ENCODER @ np.asarray(X) + covariance_root @ np.array([n0, n1]), SCALE
            )
        )
        for n0, w0 in zip(nodes, weights, strict=True)
        for n1, w1 in zip(nodes, weights, strict=True)
    )
    reconstruction, kl = draws(jax.random.split(jax.random.key(0), DRAWS))
    assert_unbiased(reconstruction, expected[0])
    assert_unbiased(kl, expected[1])
    clean = MODEL.elbo_terms(X, ENCODER @ np.asarray(X), SCALE)
    with rejected():
        assert_unbiased(reconstruction - kl, clean[0] - clean[1])
    # The likelihood of the corrupted x would be another objective, which Bob is not paid for.
    assert expected[0] - expected[1] < MODEL.log_marginal(X)


def test_the_denoising_elbo_without_noise_is_the_elbo():
    key = jax.random.key(3)
    terms = denoising_elbo(
        key, lambda z: MODEL.log_likelihood(X, z), encode, X, MODEL.prior, normal_noise(0.0)
    )
    key_elbo = jax.random.split(jax.random.key(3))[1]
    plain = elbo(key_elbo, lambda z: MODEL.log_likelihood(X, z), encode(X), MODEL.prior)
    np.testing.assert_allclose(terms, plain, rtol=1e-6)


def test_a_corruption_keeps_the_shape():
    with pytest.raises(ValueError, match=r"corrupt: got shape \(2,\), expected that of x, \(3,\)"):
        denoising_elbo(
            jax.random.key(0), lambda z: z[0], encode, X, MODEL.prior, lambda key, x: x[:2]
        )

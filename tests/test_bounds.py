"""The Rényi family against closed forms between Gaussians: false-alarm rate 1e-6 per law."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from linear_gaussian import example
from scipy.special import logsumexp

from jaxgen.bounds import BOUNDS, ELBO, IWAE, VR_MAX, chi_upper_bound, renyi
from jaxgen.metrics import importance_diagnostics, pareto_k
from jaxgen.numerics import effective_sample_size, normalized
from jaxgen.objectives import (
    elbo,
    entropy_elbo,
    importance_weighted_bound,
    log_importance_weights,
    log_prior_weights,
)

MODEL, X = example(latents=1)
LOG_P = float(MODEL.log_marginal(X))
MEAN, SCALE = 0.3, 0.9  # wider than the posterior, so that the weights are bounded
K = 16


def normal(mean, scale):
    return distrax.Independent(distrax.Normal(jnp.array([mean]), jnp.array([scale])), 1)


Q = normal(MEAN, SCALE)


def posterior():
    mean, cov = MODEL.posterior(X)
    return float(mean[0]), float(np.sqrt(cov[0, 0]))


def log_joint(z):
    return MODEL.log_joint(X, z)


@pytest.fixture(scope="module")
def log_weights():
    """[draws, K]"""
    draw = lambda key: log_importance_weights(key, log_joint, Q, K)  # noqa: E731
    return jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(1), 20_000))


def divergence(alpha, p, q):
    """Rényi's, D_alpha(p || q) of Gaussians (mean, scale). Source: Gil et al. (2013), table 2."""
    (mean_p, scale_p), (mean_q, scale_q) = p, q
    variance = alpha * scale_q**2 + (1 - alpha) * scale_p**2
    return (
        np.log(scale_q / scale_p)
        + np.log(scale_q**2 / variance) / (2 * (alpha - 1))
        + alpha * (mean_p - mean_q) ** 2 / (2 * variance)
    )


@pytest.mark.parametrize(
    ("bound", "alpha"),
    [(renyi(0.5), 0.5), (renyi(2.0), 2.0), (chi_upper_bound(2.0), -1.0), (IWAE, 0.0)],
    ids=lambda x: getattr(x, "name", ""),
)
def test_the_power_of_a_bound_is_unbiased(bound, alpha, log_weights):
    limit = LOG_P - divergence(alpha, (MEAN, SCALE), posterior()) if alpha else LOG_P
    draws = np.asarray(jax.jit(jax.vmap(bound))(log_weights), np.float64)
    assert_unbiased(np.exp((1 - alpha) * (draws - limit)), 1.0)
    with rejected():  # a forgotten log K
        forgotten = draws + np.log(K) / (1 - alpha)
        assert_unbiased(np.exp((1 - alpha) * (forgotten - limit)), 1.0)
    with rejected():  # the mean over the wrong axis: of all datapoints' weights
        wrong = np.full(len(draws), float(np.mean(log_weights)))
        assert_unbiased(np.exp((1 - alpha) * (wrong - limit)), 1.0)


def test_naive_monte_carlo_is_unbiased_for_the_likelihood():
    def draw(key):
        return IWAE(log_prior_weights(key, lambda z: MODEL.log_likelihood(X, z), MODEL.prior, 200))

    draws = jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(2), 2000))
    assert_unbiased(np.exp(np.asarray(draws, np.float64) - LOG_P), 1.0)


def test_three_forms_of_the_elbo_are_one(log_weights):
    reconstruction, rate = MODEL.elbo_terms(X, Q.mean(), Q.stddev())
    forms = {
        "weights": lambda key: ELBO(log_importance_weights(key, log_joint, Q, 1)),
        "entropy": lambda key: entropy_elbo(key, log_joint, Q).elbo,
        "kl": lambda key: elbo(key, lambda z: MODEL.log_likelihood(X, z), Q, MODEL.prior).elbo,
    }

    def draw(key):
        keys = jax.random.split(key, 3)
        return jnp.stack([form(keys[i]) for i, form in enumerate(forms.values())])

    draws = jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(3), 5000))
    assert_unbiased(draws, np.full(3, reconstruction - rate))
    exact = -0.5 * np.sum(1 + np.log(2 * np.pi * SCALE**2))
    np.testing.assert_allclose(
        entropy_elbo(jax.random.key(0), log_joint, Q).entropy, -exact, rtol=1e-5
    )


def test_the_gap_is_the_variance_of_a_weight_over_2k(log_weights):
    """E log w-bar = -m2 / 2K + (m3/3 - 3 m2²/4) / K²; w-bar - 1, of mean zero, takes the noise."""
    log_w = np.asarray(log_weights, np.float64) - LOG_P
    means = np.exp(log_w).mean(axis=1)
    bounds = np.asarray(jax.jit(jax.vmap(IWAE))(log_weights), np.float64) - LOG_P
    draws = bounds - (means - 1)
    chi_square = np.exp(divergence(2.0, posterior(), (MEAN, SCALE))) - 1
    third = np.mean((np.exp(log_w) - 1) ** 3)
    second_order = (third / 3 - 0.75 * chi_square**2) / K**2
    assert_unbiased(draws, -chi_square / (2 * K) + second_order)
    with rejected():
        assert_unbiased(draws, -chi_square / K + second_order)


def test_with_the_posterior_every_bound_is_exact_without_noise(key):
    weights = log_importance_weights(key, log_joint, normal(*posterior()), 50)
    for bound in BOUNDS.values():
        np.testing.assert_allclose(bound(weights), LOG_P, rtol=1e-5)


def test_renyi_falls_with_alpha_from_the_largest_weight_through_the_elbo(log_weights):
    one = log_weights[0]
    alphas = (-1000.0, -1.0, 0.0, 0.5, 0.99, 0.9999999, 1.0, 1.0000001, 1.01, 2.0)
    values = np.array([renyi(alpha)(one) for alpha in alphas])
    assert np.all(np.diff(values) <= 1e-6)
    np.testing.assert_allclose(values[0], VR_MAX(one), atol=0.01)
    np.testing.assert_allclose(values[[5, 7]], values[6], atol=1e-6)  # the limit, in float32
    exact = logsumexp(0.01 * np.asarray(one, np.float64), b=1 / K) / 0.01
    np.testing.assert_allclose(values[4], exact, atol=1e-5)
    exact = logsumexp(0.009 * np.asarray(one, np.float64), b=1 / K) / 0.009
    np.testing.assert_allclose(renyi(0.991)(one), exact, atol=1e-6)


@pytest.mark.parametrize("bound", [*BOUNDS.values(), renyi(0.999), renyi(1.001), renyi(2.0)])
def test_weights_that_are_all_zero_give_minus_infinity(bound):
    zeros = jnp.full(5, -jnp.inf)
    assert bound(zeros) == -jnp.inf
    if bound.path_weights:
        assert np.all(np.isfinite(bound.path_weights(zeros)))


@pytest.mark.parametrize("bound", [IWAE, renyi(0.5), renyi(0.999), chi_upper_bound(3.0)])
def test_one_weight_of_zero_counts_as_zero(bound):
    # K - 1 equal weights and one of zero: their power mean is ((K - 1) / K)^(1 / power).
    power = {"iwae": 1.0, "renyi(0.5)": 0.5, "renyi(0.999)": 0.001, "renyi(-2)": 3.0}[bound.name]
    weights = jnp.array([-jnp.inf, 2.0, 2.0, 2.0])
    np.testing.assert_allclose(bound(weights), 2.0 + np.log(0.75) / power, rtol=1e-4)


@pytest.mark.parametrize("alpha", [np.nan, np.inf, -np.inf])
def test_alpha_must_be_finite(alpha):
    with pytest.raises(ValueError, match=r"alpha: got -?(nan|inf), expected a finite number"):
        renyi(alpha)


@pytest.mark.parametrize("order", [0.5, 0.0, -1.0, np.inf, np.nan])
def test_order_must_be_at_least_one(order):
    with pytest.raises(ValueError, match=r"order: got .*, expected a finite number >= 1"):
        chi_upper_bound(order)


@pytest.mark.parametrize("bound", [*BOUNDS.values(), renyi(0.999)], ids=lambda b: b.name)
def test_a_bound_joins_the_samples_of_one_datapoint(bound):
    """Of these two, ELBO gave 1.5, the mean over all, and IWAE three numbers, each 2.36."""
    two = jnp.array([[0.0, 0.0, 0.0], [3.0, 3.0, 3.0]])
    np.testing.assert_allclose(jax.vmap(bound)(two), [0.0, 3.0], atol=1e-6)
    for wrong in (two, jnp.zeros(()), jnp.zeros(0)):
        with pytest.raises(ValueError, match=r"log_weights: got shape .* \(samples >= 1,\)"):
            bound(wrong)


@pytest.mark.parametrize("f", [effective_sample_size, normalized, pareto_k, importance_diagnostics])
def test_what_is_said_of_weights_is_said_of_one_datapoint(f):
    for wrong in (jnp.zeros((2, 300)), jnp.zeros(()), jnp.zeros(0)):
        with pytest.raises(ValueError, match=r"log_weights: got shape .* \(samples >= 1,\)"):
            f(wrong)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_half_precision_knows_no_count_of_its_samples(dtype):
    """float16 gave NaN for IWAE at 70,000 samples and infinity for the ESS of 5,000."""
    weights = jnp.zeros(70_000, dtype)
    for bound in (IWAE, renyi(0.5), renyi(0.999), chi_upper_bound()):
        np.testing.assert_allclose(bound(weights), 0.0, atol=1e-5)
    np.testing.assert_allclose(effective_sample_size(weights), 70_000, rtol=1e-5)
    np.testing.assert_allclose(normalized(weights), 1 / 70_000, rtol=1e-5)


def test_bad_counts_and_shapes_are_refused(key):
    with pytest.raises(ValueError, match="num_samples: got 0"):
        log_prior_weights(key, log_joint, Q, 0)
    batch = distrax.Normal(jnp.zeros(1), 1.0)  # a batch of one, not a vector of one
    with pytest.raises(ValueError, match=r"q: got samples of shape \(1,\).*distrax.Independent"):
        importance_weighted_bound(key, log_joint, batch, 3)

"""Annealed importance sampling, both ways, on the linear-Gaussian model whose log p(x) is known."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from linear_gaussian import example
from scipy import stats

from jaxgen.inference import (
    annealed_importance_weight,
    bidirectional_bounds,
    hmc_step,
    leapfrog,
    linear_temperatures,
    reverse_annealed_importance_weight,
    sigmoidal_temperatures,
    tune_step_sizes,
)

MODEL, X = example()
TRUTH = MODEL.log_marginal(X)
BETAS = linear_temperatures(8)


def log_joint(z):
    return MODEL.log_joint(X, z)


def hmc(key, log_density, z, beta):
    return hmc_step(key, log_density, z, step_size=0.5, num_leapfrog_steps=2)


def unadjusted(key, log_density, z, beta):
    """Leapfrog without Metropolis' test, at a step size where that matters."""
    return leapfrog(log_density, z, jax.random.normal(key, z.shape), 0.6, 2)[0], ()


def posterior_samples(count=10_000, seed=3):
    mean, cov = MODEL.posterior(X)
    draws = np.random.default_rng(seed).multivariate_normal(mean, cov, size=count)
    return jnp.asarray(draws, jnp.float32)


@functools.cache
def forward(transition, draws=10_000, betas=tuple(BETAS)):
    chain = jax.jit(
        jax.vmap(lambda k: annealed_importance_weight(k, log_joint, MODEL.prior, transition, betas))
    )
    return chain(jax.random.split(jax.random.key(1), draws))


@functools.cache
def reverse_chain(transition):
    def one(key, z):
        return reverse_annealed_importance_weight(key, z, log_joint, MODEL.prior, transition, BETAS)

    return jax.jit(jax.vmap(one))


def reverse(transition, zs):
    return reverse_chain(transition)(jax.random.split(jax.random.key(2), len(zs)), zs)


def ratios(log_weights, sign=1):
    """w / p(x), or its inverse: of mean one."""
    return np.exp(sign * (np.asarray(log_weights, np.float64) - TRUTH))


def test_the_weights_are_unbiased_forwards_and_their_inverses_backwards():
    ahead = forward(hmc)
    assert bool(ahead.all_finite.all())
    assert ahead.info.acceptance_probability.shape == (10_000, 8)
    assert_unbiased(ratios(ahead.log_weight), 1.0)
    back = reverse(hmc, posterior_samples())
    assert_unbiased(ratios(back.log_weight, -1), 1.0)
    # Jensen: log weights are low forwards and high backwards, by much more than their error.
    with rejected():
        assert_unbiased(np.asarray(ahead.log_weight), TRUTH)
    assert ahead.log_weight.mean() < TRUTH < back.log_weight.mean()


def test_a_transition_that_changes_the_density_is_caught():
    with rejected():
        assert_unbiased(ratios(forward(unadjusted).log_weight), 1.0)
    with rejected():
        assert_unbiased(ratios(reverse(unadjusted, posterior_samples()).log_weight, -1), 1.0)


def test_weights_the_wrong_way_round_are_caught():
    with rejected():
        assert_unbiased(ratios(forward(hmc).log_weight, -1), 1.0)
    with rejected():
        assert_unbiased(ratios(reverse(hmc, posterior_samples()).log_weight), 1.0)


def test_reverse_chains_from_the_prior_are_caught():
    zs = MODEL.prior.sample(seed=jax.random.key(0), sample_shape=(10_000,))
    with rejected():
        assert_unbiased(ratios(reverse(hmc, zs).log_weight, -1), 1.0)


def test_one_step_is_importance_sampling_from_the_prior():
    result = forward(hmc, draws=1000, betas=(0.0, 1.0))
    keys = jax.vmap(jax.random.split)(jax.random.split(jax.random.key(1), 1000))[:, 0]
    zs = jax.vmap(lambda key: MODEL.prior.sample(seed=key))(keys)
    expected = jax.vmap(lambda z: MODEL.log_likelihood(X, z))(zs)
    np.testing.assert_allclose(result.log_weight, expected, rtol=1e-5, atol=1e-5)


def test_any_normalized_start_will_do_and_the_posterior_has_no_variance():
    mean, cov = (jnp.asarray(a, jnp.float32) for a in MODEL.posterior(X))

    class Posterior:
        def sample(self, *, seed, sample_shape=()):
            return jax.random.multivariate_normal(seed, mean, cov, sample_shape)

        def log_prob(self, value):
            return jax.scipy.stats.multivariate_normal.logpdf(value, mean, cov)

    chain = jax.jit(
        jax.vmap(lambda key: annealed_importance_weight(key, log_joint, Posterior(), hmc, BETAS))
    )
    weights = chain(jax.random.split(jax.random.key(0), 20)).log_weight
    np.testing.assert_allclose(weights, TRUTH, atol=2e-5)


def bounds(num_steps, num_chains=4, datapoints=200):
    """BDMC on data simulated from the model, vmapped over it; and the exact values."""
    betas = sigmoidal_temperatures(num_steps)
    rng = np.random.default_rng(8)
    zs = jnp.asarray(rng.normal(size=(datapoints, 2)), jnp.float32)
    noise = MODEL.scale * rng.normal(size=(datapoints, 3))
    xs = zs @ MODEL.weights.T + MODEL.bias + jnp.asarray(noise, jnp.float32)

    @jax.jit
    @jax.vmap
    def one(key, z, x):
        return bidirectional_bounds(
            key, z, lambda z: MODEL.log_joint(x, z), MODEL.prior, hmc, betas, num_chains
        )

    result = one(jax.random.split(jax.random.key(5), datapoints), zs, xs)
    return result, MODEL.log_marginal(xs)


def test_the_bounds_hold_the_truth_between_them_and_close_with_more_temperatures():
    gaps = []
    for num_steps in (4, 24):
        result, truth = bounds(num_steps)
        below, above = truth - result.lower, result.upper - truth
        stderr = np.std(below) / np.sqrt(len(truth)), np.std(above) / np.sqrt(len(truth))
        assert np.mean(below) > 0 or abs(np.mean(below)) < 4 * stderr[0]
        assert np.mean(above) > 0 or abs(np.mean(above)) < 4 * stderr[1]
        # Markov: beyond the truth by b nats with probability at most exp(-b), for every datapoint.
        for beyond in (-below, -above):
            allowed = stats.binom.isf(1e-6, len(truth), np.exp(-2.0))
            assert np.sum(beyond > 2.0) <= allowed
        gaps.append(float(np.mean(result.upper - result.lower)))
    assert gaps[0] > 3 * gaps[1] > 0
    assert result.forward.log_weight.shape == (200, 4)


def test_tuned_steps_are_accepted_as_wished_along_the_whole_path():
    betas = linear_temperatures(200)

    def narrow(z):  # ten times narrower than the prior it starts from
        return -0.5 * jnp.sum((z / 0.1) ** 2)

    sizes = jax.jit(
        lambda key: tune_step_sizes(
            key, narrow, MODEL.prior, betas, num_chains=50, num_leapfrog_steps=3, first=3.0
        )
    )(jax.random.key(0))
    assert float(sizes[0]) == pytest.approx(3.0)
    assert float(sizes[-1]) < 0.3

    def tuned(key, log_density, z, beta):
        size = jnp.interp(beta, jnp.asarray(betas[1:]), sizes)
        return hmc_step(key, log_density, z, step_size=size, num_leapfrog_steps=3)

    chain = jax.jit(
        jax.vmap(lambda k: annealed_importance_weight(k, narrow, MODEL.prior, tuned, betas))
    )
    result = chain(jax.random.split(jax.random.key(1), 500))
    acceptance = np.asarray(result.info.acceptance_probability).mean(axis=0)
    for part in np.split(acceptance[20:], 6):
        assert 0.5 < part.mean() < 0.8
    # The narrow Gaussian's integral: (2 pi .01)^(2/2).
    assert_unbiased(np.exp(np.asarray(result.log_weight, np.float64)), 2 * np.pi * 0.01)


def test_schedules_rise_from_zero_to_one():
    np.testing.assert_allclose(linear_temperatures(4), [0, 0.25, 0.5, 0.75, 1])
    betas = sigmoidal_temperatures(10)
    assert (betas[0], betas[5], betas[10]) == (0.0, 0.5, 1.0)
    # Wu et al. (2017): sigmoid(4 (2t/T - 1)), scaled to [0, 1].
    raw = 1 / (1 + np.exp(-4 * (2 * np.arange(11) / 10 - 1)))
    np.testing.assert_allclose(betas, (raw - raw[0]) / (raw[-1] - raw[0]), atol=1e-12)


def test_bad_input_is_named():
    def weigh(betas):
        key = jax.random.key(0)
        return annealed_importance_weight(key, log_joint, MODEL.prior, hmc, betas)

    with pytest.raises(ValueError, match=r"betas: got shape \(2,\) and \[1. 0.\], expected one"):
        weigh([1.0, 0.0])
    with pytest.raises(ValueError, match=r"betas: got shape \(1,\)"):
        weigh([1.0])
    with pytest.raises(ValueError, match=r"betas: got 0.2 after 0.5, expected a rising schedule"):
        weigh([0.0, 0.5, 0.2, 1.0])
    with pytest.raises(ValueError, match="num_chains: got 0, expected an integer >= 1"):
        bidirectional_bounds(jax.random.key(0), jnp.zeros(2), log_joint, MODEL.prior, hmc, BETAS, 0)
    with pytest.raises(ValueError, match="num_steps: got 0, expected an integer >= 1"):
        linear_temperatures(0)
    several = lambda z: log_joint(z) * jnp.ones(4)  # noqa: E731  # their weights were added up
    stay = lambda key, log_density, z, beta: (z, ())  # noqa: E731
    with pytest.raises(ValueError, match=r"log_joint: got shape \(4,\)"):
        annealed_importance_weight(jax.random.key(0), several, MODEL.prior, stay, BETAS)
    with pytest.raises(ValueError, match=r"log_joint: got shape \(4,\)"):
        reverse_annealed_importance_weight(
            jax.random.key(0), jnp.zeros(2), several, MODEL.prior, stay, BETAS
        )
    for transition, told in (
        (lambda key, log_density, z, beta: z, r"transition: got a \w+, expected \(z, info\)"),
        (lambda key, log_density, z, beta: (z[0], {}), r"transition: got a z of shape \(\)"),
    ):
        with pytest.raises(ValueError, match=told):
            annealed_importance_weight(jax.random.key(0), log_joint, MODEL.prior, transition, BETAS)
    with pytest.raises(ValueError, match=r"sharpness: got 0.0, expected a positive number"):
        sigmoidal_temperatures(5, sharpness=0.0)
    with pytest.raises(ValueError, match=r"target_acceptance: got 1.5, expected a number in"):
        tune_step_sizes(
            jax.random.key(0),
            log_joint,
            MODEL.prior,
            BETAS,
            num_chains=2,
            num_leapfrog_steps=2,
            target_acceptance=1.5,
        )

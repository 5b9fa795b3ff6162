"""Every bound on an enumerated model: expectations are sums over all draws, nothing statistical."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from jaxgen.bounds import BOUNDS, ELBO, IWAE, chi_upper_bound, renyi

LOG_JOINT = np.random.default_rng(4).normal(size=4) - 2.0  # log p(x, z) for z = 0 ... 3
LOG_P = logsumexp(LOG_JOINT)
LOG_Q = np.log([0.4, 0.3, 0.2, 0.1])
LOG_W = LOG_JOINT - LOG_Q


def expectation(function, num_samples, log_q=LOG_Q):
    """E of a function of [samples] log weights: over all 4^K tuples of states."""
    tuples = np.array(list(itertools.product(range(4), repeat=num_samples)))
    values = np.asarray(jax.vmap(function)(jnp.asarray((LOG_JOINT - log_q)[tuples])), np.float64)
    return np.exp(log_q[tuples].sum(axis=1)) @ values


@pytest.mark.parametrize(
    ("bound", "power"),
    [(IWAE, 1.0), (renyi(0.5), 0.5), (renyi(2.0), -1.0), (chi_upper_bound(2.0), 2.0)],
    ids=lambda x: getattr(x, "name", ""),
)
def test_the_mean_power_of_a_bound_is_the_sum_over_states(bound, power):
    exact = np.exp(LOG_Q) @ np.exp(power * LOG_W)
    for num_samples in (1, 3):
        ours = expectation(lambda w: jnp.exp(power * bound(w)), num_samples)
        np.testing.assert_allclose(ours, exact, rtol=1e-5)
        forgotten = expectation(lambda w: jnp.exp(power * bound(w) + jnp.log(len(w))), num_samples)
        assert num_samples == 1 or abs(forgotten / exact - 1) > 0.5  # the log K


def test_in_order_and_to_either_side_of_log_p():
    values = {k: expectation(BOUNDS["iwae"], k) for k in (1, 2, 4)}
    np.testing.assert_allclose(values[1], np.exp(LOG_Q) @ LOG_W, rtol=1e-6)  # the ELBO
    np.testing.assert_allclose(values[1], expectation(ELBO, 4), rtol=1e-5)
    assert values[1] < values[2] < values[4] < LOG_P
    assert expectation(renyi(2.0), 4) < expectation(ELBO, 4) < expectation(renyi(0.5), 4) < LOG_P
    limit = 0.5 * np.log(np.exp(LOG_Q) @ np.exp(2 * LOG_W))
    assert values[4] < expectation(chi_upper_bound(), 4) < limit
    assert limit > LOG_P


def test_the_gap_times_2k_is_the_variance_of_a_weight():
    """Two states, so that a draw of many samples is a binomial count; to second order in 1/K."""
    q, log_w = np.array([0.3, 0.7]), np.log([2.0, 4.0 / 7.0])  # weights of mean one
    m2, m3 = (q @ (np.exp(log_w) - 1) ** n for n in (2, 3))
    for num_samples in (50, 200):
        counts = np.arange(num_samples + 1)
        draws = np.where(np.arange(num_samples) < counts[:, None], *log_w)
        bounds = np.asarray(jax.vmap(IWAE)(jnp.asarray(draws)), np.float64)
        gap = -stats.binom(num_samples, q[0]).pmf(counts) @ bounds
        second_order = (0.75 * m2**2 - m3 / 3) / num_samples
        np.testing.assert_allclose(2 * num_samples * gap, m2 + 2 * second_order, rtol=2e-3)


def test_with_the_posterior_no_draw_differs_from_log_p():
    for bound in BOUNDS.values():
        spread = expectation(lambda w, b=bound: (b(w) - LOG_P) ** 2, 2, LOG_JOINT - LOG_P)
        assert spread < 1e-12

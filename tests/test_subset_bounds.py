"""MIWAE, CIWAE, the jackknife and thermodynamic bounds against sums over states, and their slopes.

Nothing here is statistical: expectations are sums over counts or over copies of the states.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from jaxgen.bounds import (
    ELBO,
    IWAE,
    ciwae,
    jackknife,
    miwae,
    thermodynamic_lower_bound,
    thermodynamic_upper_bound,
)

LOGS = jnp.asarray(np.random.default_rng(2).normal(size=6))
BETAS = (0.1, 0.3, 0.6)
EVERY = [
    miwae(3),
    ciwae(0.3),
    jackknife(1),
    jackknife(2),
    thermodynamic_lower_bound(BETAS),
    thermodynamic_upper_bound(BETAS),
]


def errors(bound, counts):
    """E[bound] - log p(x) of K draws from q = (.3, .7), whose weights have mean one."""
    found = []
    for num_samples in counts:
        first = np.arange(num_samples + 1)
        draws = np.where(np.arange(num_samples) < first[:, None], 0.5, 8.5 / 7).astype(float)
        values = jax.jit(jax.vmap(bound))(jnp.log(jnp.asarray(draws)))
        found.append(stats.binom(num_samples, 0.3).pmf(first) @ np.asarray(values, np.float64))
    return np.abs(found)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_jackknife_of_order_m_misses_by_a_power_of_k(order):
    counts = (8, 16, 24)
    with jax.enable_x64(True):
        slope = np.polyfit(np.log(counts), np.log(errors(jackknife(order), counts)), 1)[0]
    assert abs(slope + order + 1) < 0.2, slope


def test_the_jackknife_is_that_of_the_textbook():
    """K L - (K - 1) mean of those that leave one out."""
    logs = np.asarray(LOGS, np.float64)
    without = [logsumexp(np.delete(logs, k)) - np.log(5) for k in range(6)]
    expected = 6 * (logsumexp(logs) - np.log(6)) - 5 * np.mean(without)
    once, twice = jax.jit(jackknife()), jax.jit(jackknife(2))
    np.testing.assert_allclose(once(LOGS), expected, rtol=1e-5)
    np.testing.assert_allclose(twice(LOGS + 50.0) - 50.0, twice(LOGS), atol=1e-4)


def test_sets_and_combinations_are_of_the_bounds_that_they_name():
    sets = np.asarray(LOGS, np.float64).reshape(3, 2)
    expected = np.mean(logsumexp(sets, axis=1) - np.log(2))
    np.testing.assert_allclose(miwae(3)(LOGS), expected, rtol=1e-5)
    np.testing.assert_allclose(ciwae(0.3)(LOGS), 0.3 * ELBO(LOGS) + 0.7 * IWAE(LOGS), rtol=1e-6)
    np.testing.assert_allclose(miwae(6)(LOGS), ELBO(LOGS), rtol=1e-6)
    assert (miwae(1), ciwae(0.0), ciwae(1.0), jackknife(0)) == (IWAE, IWAE, ELBO, IWAE)


def test_thermodynamic_sums_enclose_log_p():
    """Four states in as many copies as q has tenths, so that a mean over samples is E_q."""
    copies, log_joint = np.array([4, 3, 2, 1]), np.random.default_rng(4).normal(size=4) - 2.0
    log_q = np.log(copies / 10)
    log_w = log_joint - log_q
    samples = jnp.asarray(np.repeat(log_w, copies))

    def mean(beta):  # of log w, under q w^beta
        tilted = log_q + beta * log_w
        return np.exp(tilted - logsumexp(tilted)) @ log_w

    points = np.array([0.0, *BETAS, 1.0])
    means, widths = np.array([mean(b) for b in points]), np.diff(points)
    lower, upper = thermodynamic_lower_bound(BETAS), thermodynamic_upper_bound(BETAS)
    np.testing.assert_allclose(lower(samples), widths @ means[:-1], rtol=1e-5)
    np.testing.assert_allclose(upper(samples), widths @ means[1:], rtol=1e-5)
    log_p = logsumexp(log_joint)
    assert ELBO(samples) < lower(samples) < log_p < upper(samples)
    np.testing.assert_allclose(thermodynamic_lower_bound(())(samples), ELBO(samples), rtol=1e-5)
    fine = tuple(np.arange(1, 40) / 40)
    both = [b(fine)(samples) for b in (thermodynamic_lower_bound, thermodynamic_upper_bound)]
    np.testing.assert_allclose(np.mean(both), log_p, atol=1e-4)


@pytest.mark.parametrize("bound", EVERY, ids=lambda b: b.name)
def test_path_weights_are_slopes_less_curvatures(bound):
    """And with a weight of zero, or all, nothing is NaN."""

    @jax.jit
    def found(logs):
        of = lambda x: (bound(x), jax.grad(bound)(x), bound.path_weights(x))  # noqa: E731
        return jax.vmap(of)(logs), jnp.diag(jax.hessian(bound)(logs[0]))

    logs = jnp.stack([LOGS.at[:zeros].set(-jnp.inf) for zeros in (0, 1, 5, 6)])
    (values, slopes, path), curvatures = jax.device_get(found(logs))
    exact = slopes[0] - curvatures
    np.testing.assert_allclose(path[0], exact, atol=2e-5)
    assert IWAE.path_weights
    assert np.abs(IWAE.path_weights(LOGS) - exact).max() > 1e-2
    assert not np.isnan(values).any()
    assert np.isfinite(path).all()
    assert np.isfinite(slopes).all()
    assert values[-1] == -np.inf


@pytest.mark.parametrize(
    ("call", "refusal"),
    [
        (lambda: miwae(0), "num_sets: got 0, expected an integer >= 1"),
        (lambda: miwae(4)(LOGS), "log_weights: got 6 samples, expected a multiple of 4"),
        (lambda: ciwae(1.5), r"elbo_weight: got 1\.5, expected a number in \[0, 1\]"),
        (lambda: ciwae(np.nan), "elbo_weight: got nan"),
        (lambda: jackknife(-1), "order: got -1, expected an integer >= 0"),
        (lambda: jackknife(6)(LOGS), "log_weights: got 6 samples, expected more than the order, 6"),
        (lambda: thermodynamic_lower_bound((0.5, 0.2)), "betas: got .*, expected numbers that"),
        (lambda: thermodynamic_upper_bound((0.0,)), "betas: got .*, expected numbers that"),
    ],
)
def test_what_makes_no_bound_is_refused(call, refusal):
    with pytest.raises(ValueError, match=refusal):
        call()

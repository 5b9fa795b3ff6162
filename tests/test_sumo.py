"""SUMO: its mean is log p(x), over every number of samples and all that they may be."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.bounds import IWAE, random_num_samples, russian_roulette, sumo

LAST = 8


def at_most_eight(count):
    """1, 1, 1/2, ..., 1/7, and no ninth."""
    return russian_roulette(count) if count <= LAST else 0.0


def means(*survivals):
    """Over K = 1..8 and all 2^K draws from q = (.3, .7), whose weights have mean one."""
    totals = np.zeros(len(survivals))
    draws = [np.array(list(itertools.product([0, 1], repeat=k))) for k in range(1, LAST + 1)]
    logs = [jnp.log(jnp.asarray(np.array([0.9, 7.3 / 7])[d], jnp.float32)) for d in draws]
    bounds = [sumo(survival) for survival in survivals]
    found = jax.jit(lambda logs: [[jax.vmap(bound)(of) for bound in bounds] for of in logs])(logs)
    for count, (d, values) in enumerate(zip(draws, found, strict=True), 1):
        probs = np.prod(np.array([0.3, 0.7])[d], axis=1)
        share = at_most_eight(count) - at_most_eight(count + 1)
        totals += share * (np.asarray(values, np.float64) @ probs)
    return totals


def test_its_mean_is_log_p():
    """To the 3e-4 that are left from the ninth sample on, as the mean of IWAE's bound of eight."""
    ones = np.arange(LAST + 1)
    of_eight = stats.binom(LAST, 0.7).pmf(ones) @ np.log(
        ((LAST - ones) * 0.9 + ones * 7.3 / 7) / LAST
    )
    found, one_late, unweighted = means(at_most_eight, lambda k: 1 / k, lambda k: 1.0)
    np.testing.assert_allclose(found, of_eight, atol=1e-6)
    assert abs(found) < 3e-4
    assert min(abs(one_late - of_eight), abs(unweighted - of_eight)) > 3e-4
    assert abs(0.3 * np.log(0.9) + 0.7 * np.log(7.3 / 7)) > 2e-3  # of one sample


def test_it_is_a_sum_of_differences_and_its_path_weights_are_slopes_less_curvatures():
    logs = jnp.asarray(np.random.default_rng(2).normal(size=5))
    bounds = [float(IWAE(logs[:k])) for k in range(1, 6)]
    expected = bounds[0] + sum(
        (b - a) * k for k, (a, b) in enumerate(itertools.pairwise(bounds), 1)
    )
    bound = sumo()
    value, slopes, curvatures, path = jax.jit(
        lambda x: (
            bound(x),
            jax.grad(bound)(x),
            jnp.diag(jax.hessian(bound)(x)),
            bound.path_weights(x),
        )
    )(logs)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    np.testing.assert_allclose(path, slopes - curvatures, atol=2e-5)
    np.testing.assert_allclose(bound(logs + 60.0) - 60.0, expected, atol=1e-4)


def test_weights_of_zero():
    logs = jnp.zeros((3, 5))
    logs = logs.at[0, 0].set(-jnp.inf).at[1, 1:3].set(-jnp.inf).at[2].set(-jnp.inf)
    of = jax.vmap(lambda x: (*jax.value_and_grad(sumo())(x), sumo().path_weights(x)))
    values, slopes, path = jax.jit(of)(logs)
    np.testing.assert_array_equal(np.isneginf(values), [True, False, True])
    assert np.isfinite([*slopes, *path]).all()


def test_the_number_of_samples_has_the_distribution_that_is_told(key):
    """Each share at a false-alarm rate of 1e-6."""
    counts = np.array([random_num_samples(key) for key in jax.random.split(key, 1000)])
    for least in (2, 3, 5, 20):
        share = russian_roulette(least)
        if share == 1:
            assert (counts >= least).all()
        else:
            assert stats.binomtest(int((counts >= least).sum()), 1000, share).pvalue > 1e-6
    assert stats.binomtest(int((counts >= 4).sum()), 1000, russian_roulette(3)).pvalue < 1e-6
    assert random_num_samples(jax.random.key(0), lambda k: 1.0, max_samples=3) == 3
    assert np.isclose(russian_roulette(82), 0.9 * russian_roulette(81))


@pytest.mark.parametrize("survival", [lambda k: 0.5, lambda k: 1.0 * (k < 3), lambda k: k / 1])
def test_what_is_no_survival_is_refused(survival):
    with pytest.raises(ValueError, match=r"survival: got .*, expected probabilities that fall"):
        sumo(survival)(jnp.zeros(3))

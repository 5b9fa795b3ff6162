"""ARMS and CARMS, antithetic sets of bits and of categories: false-alarm rate 1e-6 per law."""

import sys
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from problems import bernoulli_inside, by_name, categoricals, coupled, draws, one_hots, toy
from scipy.special import comb, expit

from jaxgen.estimators import arms, carms, leave_one_out, score_function
from jaxgen.estimators.arms import both_given_one

NUM_DRAWS = 50_000


@pytest.fixture(scope="module")
def found():
    """The gradients of a case, drawn once."""
    kept = {}

    def of(estimator, problem):
        case = (estimator, problem.name)
        if case not in kept:
            kept[case] = draws(estimator, problem, jax.random.key(0), NUM_DRAWS)
        return kept[case]

    return of


@pytest.mark.parametrize(
    ("estimator", "problem"),
    [
        (arms(3), bernoulli_inside),
        (arms(6), coupled),
        (carms(2), one_hots),
        (carms(3), bernoulli_inside),
        (carms(4), categoricals),
    ],
    ids=lambda x: by_name(x),
)
def test_unbiased(estimator, problem, found):
    assert_unbiased(found(estimator, problem), problem.gradient())


def test_a_scale_error_of_two_percent_is_seen(found):
    for estimator, problem in [(arms(3), bernoulli_inside), (carms(3), bernoulli_inside)]:
        with rejected():
            assert_unbiased(1.02 * found(estimator, problem), problem.gradient())


def _as_if_independent(num_samples, log_prob):
    return jnp.exp(log_prob)


def _naive(num_samples, logits):
    """P(1, 0) of the marks of the ones, where those of the zeros are drawn."""
    return jax.nn.sigmoid(-logits) / (1 - both_given_one(num_samples, jax.nn.log_sigmoid(logits)))


def _without_the_sticks_before(num_samples, ends):
    return jnp.log(-jnp.expm1(ends)) - jnp.log(1 - both_given_one(num_samples, ends))


@pytest.mark.parametrize(
    ("estimator", "problem", "name", "broken"),
    [
        (arms(3), bernoulli_inside, "both_given_one", _as_if_independent),
        (arms(3), bernoulli_inside, "correction", _naive),
        (carms(4), categoricals, "both_given_one", _as_if_independent),
        (carms(4), categoricals, "importance", _without_the_sticks_before),
    ],
)
def test_other_corrections_are_rejected(estimator, problem, name, broken, key):
    with mock.patch.object(sys.modules[f"jaxgen.estimators.{estimator.name}"], name, broken):
        grads = draws(estimator, problem, key, NUM_DRAWS)
    with rejected():
        assert_unbiased(grads, problem.gradient())


def law_of_the_count(num_samples, prob):
    """P(k of the marks are set), by inclusion and exclusion: P(j given ones) = (1 - j a)^(n-1)."""
    n, a = num_samples, 1 - prob ** (1 / (num_samples - 1))
    sums = [comb(n, j) * max(0.0, 1 - j * a) ** (n - 1) for j in range(n + 1)]
    return np.array(
        [sum((-1) ** (j - k) * comb(j, k) * sums[j] for j in range(k, n + 1)) for k in range(n + 1)]
    )


def exact_variance(num_samples, target, logit):
    """Of one bit: the gradient is (f1 - f0) c k (n - k) / (n (n - 1)), k of n samples ones."""
    p = expit(logit)
    law, k, n = (
        law_of_the_count(num_samples, min(p, 1 - p)),
        np.arange(num_samples + 1),
        num_samples,
    )
    grads = k * (n - k) / (n * (n - 1)) * (1 - 2 * target)
    mean = law @ grads
    scale = (1 - 2 * target) * p * (1 - p) / mean
    return scale**2 * (law @ grads**2 - mean**2)


@pytest.mark.parametrize(("make", "num_samples"), [(arms, 4), (carms, 4)])
def test_second_moments_on_one_bit(make, num_samples, key):
    problem = toy(0.45)
    second = exact_variance(num_samples, 0.45, 0.3) + problem.gradient() ** 2
    grads = draws(make(num_samples), problem, key, NUM_DRAWS)
    assert_unbiased(grads**2, second)
    with rejected():
        assert_unbiased(1.02 * grads**2, second)


@pytest.mark.parametrize("num_samples", [2, 4, 8, 16])
@pytest.mark.parametrize("logit", [-3.0, 0.3, 1.5])
def test_less_variance_than_pairs_and_leave_one_out_on_one_bit(num_samples, logit):
    """Exactly: of DisARM (and so of ARM) S/2 independent pairs, of RLOO all independent."""
    p, n, slope = expit(logit), num_samples, 0.1
    ours = exact_variance(num_samples, 0.45, logit)
    assert ours <= exact_variance(2, 0.45, logit) / (n / 2) * (1 + 1e-9)
    k = np.arange(n + 1)
    law = comb(n, k) * p**k * (1 - p) ** (n - k)
    grads = slope * k * (n - k) / (n * (n - 1))
    assert ours < law @ grads**2 - (law @ grads) ** 2


def test_less_variance_than_leave_one_out_on_categories(found):
    rloo = score_function(4, baseline=leave_one_out())
    ours, theirs = found(carms(4), categoricals), found(rloo, categoricals)
    assert np.all(np.var(ours, axis=0) < 0.9 * np.var(theirs, axis=0))


@pytest.mark.parametrize("make", [arms, carms])
def test_extreme_logits_and_thousands_of_samples_are_finite(make, key):
    extreme = coupled._replace(params=jnp.array([-200.0, 30.0, 0.0, 1e-3, 95.0, -8.0, 8.0, -1e-3]))
    grads = draws(make(300), extreme, key, 5)
    assert np.all(np.isfinite(grads))
    np.testing.assert_allclose(grads[:, [0, 1, 4]], 0.0, atol=1e-6)


def test_masked_states_have_no_gradient(key):
    masked = categoricals._replace(params=categoricals.params.at[:, 1].set(-jnp.inf))
    grads = draws(carms(3), masked, key, 20).reshape(-1, 2, 4)
    assert np.all(np.isfinite(grads))
    np.testing.assert_array_equal(grads[:, :, 1], 0.0)

"""Sum-and-sample: exact means and variances over the one state that is drawn."""

import sys
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import bernoulli_inside, by_name, categorical, draws, gradient, one_hots
from scipy import stats

from jaxgen.estimators import all_states, sum_and_sample
from jaxgen.estimators.discrete import factors
from jaxgen.estimators.distinct import distinct, likeliest, other_than

MODULE = sys.modules["jaxgen.estimators.sum_and_sample"]


def exact_moments(problem, size):
    """Mean and variance of each component, over the states that are not summed over."""
    q = problem.q(problem.params)
    states = factors(q).encode(all_states(q, 64))
    probs = np.exp(np.asarray(q.log_prob(all_states(q, 64)), np.float64))
    rest = np.argsort(-probs)[size - 1 :]
    weights = probs[rest] / probs[rest].sum()

    def given(index):
        with mock.patch.object(MODULE, "other_than", return_value=states[index][None]):
            return gradient(sum_and_sample(size), problem)(jax.random.key(0))

    grads = np.asarray(jax.jit(jax.vmap(given))(rest), np.float64)
    return weights @ grads, weights @ (grads - weights @ grads) ** 2


@pytest.mark.parametrize(
    ("problem", "size"), [(categorical, 3), (categorical, 4), (bernoulli_inside, 3)], ids=by_name
)
def test_the_mean_is_exact(problem, size):
    mean, variance = exact_moments(problem, size)
    np.testing.assert_allclose(mean, problem.gradient(), rtol=1e-4, atol=1e-6)
    if size == 4:  # of four states
        np.testing.assert_allclose(variance, 0.0, atol=1e-10)


def test_another_set_than_the_likeliest_is_biased():
    """The states that are summed over are those that are not drawn."""
    second = lambda log_probs, count: tuple(x[1:] for x in likeliest(log_probs, count + 1))  # noqa: E731
    with mock.patch.object(MODULE, "likeliest", second):
        mean, _ = exact_moments(categorical, 3)
    assert np.max(np.abs(mean - categorical.gradient())) > 0.01


def test_the_likeliest_and_the_first_other_state(key):
    log_probs = jnp.log(jnp.array([[0.3, 0.7, 0.0], [0.2, 0.5, 0.3]]))
    probs = np.outer([0.3, 0.7, 0.0], [0.2, 0.5, 0.3]).ravel()
    top, log_p = likeliest(log_probs, 3)
    order = np.argsort(-probs)
    np.testing.assert_array_equal(3 * top[:, 0] + top[:, 1], order[:3])
    np.testing.assert_allclose(np.exp(log_p), probs[order[:3]], rtol=1e-5)

    def one(key):
        return other_than(top, distinct(key, log_probs, 4)[0])[0]

    found = np.asarray(jax.jit(jax.vmap(one))(jax.random.split(key, 10_000)))
    observed = [np.sum(3 * found[:, 0] + found[:, 1] == state) for state in order[3:6]]
    expected = probs[order[3:6]] / probs[order[3:6]].sum() * len(found)
    assert stats.chisquare(observed, expected).pvalue > 1e-6
    assert stats.chisquare(observed).pvalue < 1e-6


def test_masked_states_have_no_gradient(key):
    masked = one_hots._replace(params=one_hots.params.at[:, 1:].set(-jnp.inf).at[0, 2].set(0.3))
    grads = draws(sum_and_sample(4), masked, key, 5).reshape(-1, 2, 4)  # two states are left
    assert np.all(np.isfinite(grads))
    np.testing.assert_array_equal(grads[:, :, 1], 0.0)
    np.testing.assert_allclose(grads, np.broadcast_to(grads[:1], grads.shape), rtol=1e-5)

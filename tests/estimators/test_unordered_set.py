"""The unordered set against all sets of a small q: exact means and variances, by permutations.

False-alarm rate 1e-6 per law of draws.
"""

import itertools
import sys
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from problems import bernoulli_inside, by_name, categorical, coupled, draws, gradient, one_hots
from scipy import stats

from jaxgen.estimators import all_states, unordered_set
from jaxgen.estimators.discrete import factors
from jaxgen.estimators.distinct import distinct
from jaxgen.estimators.unordered_set import set_weights

MODULE = sys.modules["jaxgen.estimators.unordered_set"]
PROBS = np.random.default_rng(0).dirichlet(np.ones(6))


def chance(members, probs, gone=()):
    """P that the first len(members) drawn without replacement are `members`, of those not gone."""
    total = 0.0
    for order in itertools.permutations(members):
        left, product = 1 - sum(probs[i] for i in gone), 1.0
        for i in order:
            product *= probs[i] / left
            left -= probs[i]
        total += product
    return total


def without(members, *gone):
    return [i for i in members if i not in gone]


weights_of = jax.jit(set_weights)


@pytest.mark.parametrize("size", [3, 6])
def test_weights_are_those_of_all_permutations(size):
    members = list(range(size))
    weights, given = map(np.asarray, weights_of(jnp.log(jnp.asarray(PROBS[:size]))))
    all_orders = chance(members, PROBS)
    for s in members:
        first = chance(without(members, s), PROBS, (s,))
        np.testing.assert_allclose(weights[s], PROBS[s] * first / all_orders, rtol=1e-4)
        for r in members:
            second = chance(without(members, s, r), PROBS, (s, r)) / first if r != s else 1.0
            np.testing.assert_allclose(given[s, r], PROBS[r] * second, rtol=1e-4)


@pytest.mark.parametrize(
    ("log_p", "expected"),
    [
        ([-100.0, -120.0, -90.0], [1 / 3] * 3),  # none would come twice: the plain mean
        ([np.log(0.75), np.log(0.25), -np.inf], [0.75, 0.25, 0.0]),  # all there are
        ([0.0, -120.0, -90.0], [1.0, 0.0, 0.0]),
    ],
)
def test_weights_at_the_ends(log_p, expected):
    weights, given = weights_of(jnp.array(log_p))
    np.testing.assert_allclose(weights, expected, rtol=1e-4, atol=1e-6)
    assert np.all(np.isfinite(given))


def test_sets_come_as_often_as_without_replacement(key):
    """Of two latents, 2 x 3 states."""
    log_probs = jnp.log(jnp.array([[0.3, 0.7, 0.0], [0.2, 0.5, 0.3]]))
    probs = np.outer([0.3, 0.7], [0.2, 0.5, 0.3]).ravel()
    keys = jax.random.split(key, 20_000)
    states, log_p = jax.jit(jax.vmap(lambda key: distinct(key, log_probs, 3)))(keys)
    found = np.asarray(3 * states[..., 0] + states[..., 1])
    np.testing.assert_allclose(np.exp(log_p), probs[found], rtol=1e-5)
    orders = list(itertools.permutations(range(6), 3))
    a, b, c = probs[np.array(orders)].T
    expected = a * b / (1 - a) * c / (1 - a - b)
    observed = [np.sum(np.all(found == order, axis=1)) for order in orders]
    assert stats.chisquare(observed, expected * len(found)).pvalue > 1e-6
    replaced = a * b * c / np.sum(a * b * c)  # as if the draws that agree were thrown away
    assert stats.chisquare(observed, replaced * len(found)).pvalue < 1e-6


def exact_moments(problem, size):
    """Mean and variance of each component, over all sets."""
    q = problem.q(problem.params)
    states = factors(q).encode(all_states(q, 64))
    probs = np.exp(np.asarray(q.log_prob(all_states(q, 64)), np.float64))
    sets = np.array(list(itertools.combinations(range(len(probs)), size)))
    weights = np.array([chance(members, probs) for members in sets])

    def given(members):
        drawn = states[members], jnp.log(jnp.asarray(probs))[members]
        with mock.patch.object(MODULE, "distinct", return_value=drawn):
            return gradient(unordered_set(size), problem)(jax.random.key(0))

    grads = np.asarray(jax.jit(jax.vmap(given))(sets), np.float64)
    mean = weights @ grads
    return mean, weights @ (grads - mean) ** 2


@pytest.mark.parametrize(
    ("problem", "size"),
    [(categorical, 2), (categorical, 3), (categorical, 4), (bernoulli_inside, 3)],
    ids=by_name,
)
def test_the_mean_is_exact_and_the_variance_below_that_with_replacement(problem, size):
    mean, variance = exact_moments(problem, size)
    np.testing.assert_allclose(mean, problem.gradient(), rtol=1e-4, atol=1e-6)
    if problem is categorical:
        assert np.all(variance < leave_one_out_variance(size))
    if size == 4:  # of four states
        np.testing.assert_allclose(variance, 0.0, atol=1e-10)


@pytest.mark.parametrize(
    "broken",
    [
        lambda weights, given: (jnp.full_like(weights, 1 / 3), given),
        lambda weights, given: (weights, jnp.broadcast_to(weights, given.shape)),
    ],
    ids=["equal", "the sample not left out of its baseline"],
)
def test_other_weights_are_biased(broken):
    with mock.patch.object(MODULE, "set_weights", lambda log_p: broken(*set_weights(log_p))):
        mean, _ = exact_moments(categorical, 3)
    assert np.max(np.abs(mean - categorical.gradient())) > 0.005


def leave_one_out_variance(size):
    """Of RLOO on `categorical`, over all draws."""
    logits = np.asarray(categorical.params, np.float64)
    probs = np.exp(logits) / np.exp(logits).sum()
    values = np.array([categorical.f(None, z) for z in range(4)], np.float64)
    drawn = np.array(list(itertools.product(range(4), repeat=size)))
    f, weights = values[drawn], np.prod(probs[drawn], axis=1)
    gains = (f - f.mean(axis=1, keepdims=True)) / (size - 1)
    grads = np.einsum("ns,nsk->nk", gains, np.eye(4)[drawn])
    np.testing.assert_allclose(weights @ grads, categorical.gradient(), rtol=1e-4)
    return weights @ (grads - weights @ grads) ** 2


@pytest.mark.parametrize("problem", [coupled, one_hots], ids=by_name)
def test_unbiased(problem, key):
    grads = draws(unordered_set(3), problem, key, 20_000)
    assert_unbiased(grads, problem.gradient())
    with rejected():
        assert_unbiased(1.1 * grads, problem.gradient())


def test_masked_states_have_no_gradient(key):
    masked = one_hots._replace(params=one_hots.params.at[:, 1:].set(-jnp.inf).at[0, 2].set(0.3))
    grads = draws(unordered_set(3), masked, key, 5).reshape(-1, 2, 4)  # two states are left
    assert np.all(np.isfinite(grads))
    np.testing.assert_array_equal(grads[:, :, 1], 0.0)
    np.testing.assert_allclose(grads, np.broadcast_to(grads[:1], grads.shape), rtol=1e-5)

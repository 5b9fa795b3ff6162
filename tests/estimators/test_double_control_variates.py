"""Double control variates: false-alarm rate 1e-6 per law."""

import sys
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from problems import bernoulli_inside, by_name, coupled, draws, gradient, one_hots, surrogate

from jaxgen.estimators import double_control_variates
from jaxgen.estimators.control_variates.baselines import Decaying

NUM_DRAWS = 50_000
MODULE = sys.modules["jaxgen.estimators.control_variates.double_control_variates"]
ONE = Decaying(total=jnp.ones(()), weight=jnp.ones(()))  # a = 1
W = jnp.linspace(-1.0, 2.0, 8)
linear = coupled._replace(
    name="linear", f=lambda params, b: b @ W, exact=lambda logits: jax.nn.sigmoid(logits) @ W
)


@pytest.mark.parametrize(
    ("num_samples", "problem"),
    [(2, coupled), (3, bernoulli_inside), (3, one_hots)],
    ids=by_name,
)
def test_unbiased(num_samples, problem, key):
    grads = draws(double_control_variates(num_samples), problem, key, NUM_DRAWS, ONE)
    assert_unbiased(grads, problem.gradient())
    if problem is bernoulli_inside:
        with rejected():
            assert_unbiased(1.02 * grads, problem.gradient())


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("of_others", lambda x: jnp.broadcast_to(jnp.mean(x, axis=0), x.shape)),
        ("through", lambda mean, logits, slope: jnp.zeros_like(slope)),
    ],
    ids=["the own sample included", "the expectation forgotten"],
)
def test_broken_controls_are_rejected(name, broken, key):
    with mock.patch.object(MODULE, name, broken):
        grads = draws(double_control_variates(3), bernoulli_inside, key, NUM_DRAWS, ONE)
    with rejected():
        assert_unbiased(grads, bernoulli_inside.gradient())


def test_of_a_linear_f_there_is_no_variance_at_the_best_number(key):
    estimator, keys = double_control_variates(2), jax.random.split(key, 5000)
    grads = jax.jit(jax.vmap(gradient(estimator, linear, ONE)))(keys[:5])
    exact = np.broadcast_to(linear.gradient(), grads.shape)
    np.testing.assert_allclose(grads, exact, rtol=1e-4, atol=1e-6)
    step = jax.jit(jax.vmap(surrogate(estimator, linear, Decaying.empty()), (None, 0)))
    state = estimator.update(Decaying.empty(), step(linear.params, jax.random.clone(keys))[1])
    np.testing.assert_allclose(state.mean(), 1.0, rtol=0.02)


def test_it_begins_as_leave_one_out_and_ends_below_it(key):
    estimator, keys = double_control_variates(2), jax.random.split(key, 2)
    begins = draws(estimator, coupled, keys[0], 20_000, Decaying.empty())
    step = jax.jit(jax.vmap(surrogate(estimator, coupled, Decaying.empty()), (None, 0)))
    _, seen = step(coupled.params, jax.random.split(keys[1], 20_000))
    state = estimator.update(Decaying.empty(), seen)
    ends = draws(estimator, coupled, jax.random.key(2), 20_000, state)
    # The ratio gives the least squared length that any number gives, of these draws.
    assert np.sum(np.var(ends, axis=0)) < 0.97 * np.sum(np.var(begins, axis=0))

"""RODEO: false-alarm rate 1e-6 per law."""

import sys
from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from problems import bernoulli_inside, by_name, coupled, draws, gradient, surrogate

from jaxgen.estimators import rodeo
from jaxgen.estimators.control_variates.rodeo import estimate, foretold

NUM_DRAWS = 50_000
MODULE = sys.modules["jaxgen.estimators.control_variates.rodeo"]


def started(estimator, problem):
    """A state with a say: the weights far from zero, the network far from linear."""
    state = estimator.init(jax.random.key(3), problem.q(problem.params))
    weights = {"alpha": jnp.asarray(1.5), "beta": jnp.asarray(-1.5)}
    return state.replace(inner=4 * state.inner, **weights)


@pytest.mark.parametrize(
    ("num_samples", "problem"), [(2, coupled), (3, bernoulli_inside)], ids=by_name
)
def test_unbiased(num_samples, problem, key):
    estimator = rodeo(num_samples, hidden=4)
    grads = draws(estimator, problem, key, NUM_DRAWS, started(estimator, problem))
    assert_unbiased(grads, problem.gradient())
    with rejected():
        assert_unbiased(1.2 * grads, problem.gradient())


def _of_the_own_sample_too(state, b, slopes, values):
    here, there = foretold(state, *(jnp.concatenate([x, x]) for x in (b, slopes, values)))
    return here[: len(b)], there[: len(b)]


def _without_the_bits_as_they_are(state, b, slopes, values):
    here, there = foretold(state, b, slopes, values)
    return jnp.zeros_like(here), there


@pytest.mark.parametrize("broken", [_of_the_own_sample_too, _without_the_bits_as_they_are])
def test_broken_controls_are_rejected(broken, key):
    estimator = rodeo(2, hidden=4)
    state = started(estimator, bernoulli_inside)
    with mock.patch.object(MODULE, "foretold", broken):
        grads = draws(estimator, bernoulli_inside, key, NUM_DRAWS, state)
    with rejected():
        assert_unbiased(grads, bernoulli_inside.gradient())


def test_it_learns_to_have_less_variance(key):
    """The loss is the squared norm, so its descent lowers the variance; no other gradient."""
    estimator, keys = rodeo(2, hidden=4), jax.random.split(key, 4)
    begins = estimator.init(keys[0], coupled.q(coupled.params))

    def loss(state, keys):
        one = lambda key: surrogate(estimator, coupled, state)(coupled.params, key)  # noqa: E731
        return jnp.mean(jax.vmap(one)(keys)[1].control_loss)

    @jax.jit
    def learn(state, key):
        def step(state, key):
            slope = jax.grad(loss)(state, jax.random.split(key, 16))
            return jax.tree.map(lambda x, g: x - 0.1 * g, state, slope), None

        return jax.lax.scan(step, state, jax.random.split(key, 300))[0]

    @jax.jit
    def variance(state, key):
        one = gradient(estimator, coupled, state)
        return jnp.sum(jnp.var(jax.vmap(one)(jax.random.split(key, 10_000)), axis=0))

    assert variance(learn(begins, keys[1]), keys[2]) < 0.9 * variance(begins, keys[3])


def test_the_foretold_are_the_mean_over_the_other_samples(key):
    """Sample by sample and bit by bit, as the docstring has it."""
    estimator = rodeo(3, hidden=4)
    state = estimator.init(key, coupled.q(coupled.params))
    rng = np.random.default_rng(0)
    b = rng.integers(0, 2, (3, 5)).astype(np.float32)
    slopes, values = (rng.normal(size=shape).astype(np.float32) for shape in ((3, 5), 3))

    def network(value, rise):
        units = value * state.inner[0] + rise * state.inner[1] + state.inner[2]
        return np.where(units > 0, units, 0.3 * units) @ state.outer[:-1] + state.outer[-1]

    def h(s, at):
        others = [r for r in range(3) if r != s]
        return np.mean([network(values[r], slopes[r] @ (at - b[r])) for r in others], axis=0)

    turned = lambda x, i: np.where(np.arange(5) == i, 1 - x, x)  # noqa: E731
    expected = (
        np.stack([h(s, b[s]) for s in range(3)]),
        np.stack([[h(s, turned(b[s], i)) for i in range(5)] for s in range(3)]),
    )
    found = jax.jit(foretold)(state, b, slopes, values)
    chex.assert_trees_all_close(found, expected, rtol=1e-4, atol=1e-5)
    plain = jax.jit(estimate)(state, b, slopes, values, np.full(5, 0.3, np.float32))
    gains = (values - values.mean()) / 2  # leave-one-out, where both weights are zero
    np.testing.assert_allclose(plain, gains @ (b - 0.3), rtol=1e-4, atol=1e-6)

"""VIMCO against the enumerated bound: false-alarm rate 1e-6 per law."""

import dataclasses
import itertools

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_biased, assert_unbiased, rejected
from problems import Problem, _bits, by_name, draws, surrogate
from scipy.special import logsumexp

from jaxgen.estimators import vimco
from jaxgen.estimators.evaluation import with_gradient
from jaxgen.estimators.vimco import leave_one_out_bounds

NUM_DRAWS = 200_000
K = 3
_LOG_JOINT = jnp.asarray(np.random.default_rng(4).normal(size=(4,)) * 2)


def bound_problem(name, params, q, log_joint, states):
    """E[log 1/K sum_k w(z_k)], summed over all K-tuples of states; f is log p(z) - log q(z)."""
    states = jnp.asarray(states)

    def f(params, z):
        return log_joint(params, z) - q(params).log_prob(z)

    def exact(params):
        log_weights = jax.vmap(lambda z: f(params, z))(states)
        log_probs = q(params).log_prob(states)
        tuples = jnp.array(list(itertools.product(range(len(states)), repeat=K)))
        bounds = jax.nn.logsumexp(log_weights[tuples], axis=1) - jnp.log(K)
        return jnp.sum(jnp.exp(jnp.sum(log_probs[tuples], axis=1)) * bounds)

    return Problem(name, params, q, f, exact)


bits = bound_problem(
    "bits",
    {"logits": jnp.array([0.5, -0.7]), "weights": jnp.array([1.0, -2.0, 0.5])},
    lambda params: distrax.Independent(distrax.Bernoulli(params["logits"]), 1),
    lambda params, b: b @ params["weights"][:2] + params["weights"][2] * b[0] * b[1],
    _bits(2),
)
categories = bound_problem(
    "categories",
    jnp.array([0.3, -0.2, 0.9, 0.1]),
    distrax.Categorical,
    lambda params, z: _LOG_JOINT[z],
    np.arange(4),
)


@pytest.mark.parametrize("problem", [bits, categories], ids=by_name)
def test_unbiased(problem, key):
    grads = draws(vimco(K), problem, key, NUM_DRAWS)
    assert_unbiased(grads, problem.gradient())
    if problem is bits:
        with rejected():
            assert_unbiased(1.02 * grads, problem.gradient())


def gaussian_bound(params):
    """K = 2, z ~ N(m, s), w = N(z; 1, 2) exp(-z^2 / 4) / q(z): Gauss-Hermite in both samples."""
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    z = params["mean"] + jnp.exp(params["log_scale"]) * points
    log_weights = jax.vmap(lambda z: gaussian.f(params, z))(z)
    bounds = jnp.logaddexp(log_weights[:, None], log_weights) - jnp.log(2)
    probs = jnp.asarray(weights / weights.sum())
    return probs @ bounds @ probs


def _gaussian_q(params):
    return distrax.Normal(params["mean"], jnp.exp(params["log_scale"]))


gaussian = Problem(
    "gaussian",
    {"mean": jnp.array(0.4), "log_scale": jnp.array(-0.2)},
    _gaussian_q,
    lambda params, z: (
        distrax.Normal(1.0, 2.0).log_prob(z) - z**2 / 4 - _gaussian_q(params).log_prob(z)
    ),
    gaussian_bound,
)


def test_unbiased_for_a_continuous_q(key):
    grads = draws(vimco(2), gaussian, key, NUM_DRAWS)
    assert_unbiased(grads, gaussian.gradient())


def test_the_value_is_the_bound(key):
    value, estimate = jax.jit(surrogate(vimco(5), bits))(bits.params, key)
    np.testing.assert_allclose(value, logsumexp(estimate.values) - np.log(5), rtol=1e-5)


def test_leave_one_out_bounds():
    """Written out; with a weight of zero in it too."""
    log_weights = np.array([0.3, -1.0, 2.0, 5.0])
    compiled = jax.jit(leave_one_out_bounds)
    for k, ours in enumerate(compiled(jnp.asarray(log_weights))):
        others = np.delete(log_weights, k)
        expected = logsumexp([*others, others.mean()]) - np.log(4)
        np.testing.assert_allclose(ours, expected, rtol=1e-6)
    with_zero = compiled(jnp.array([-jnp.inf, 0.0, 0.0]))
    np.testing.assert_allclose(with_zero, [0.0, -np.log(3), -np.log(3)], atol=1e-6)


def broken(baselines):
    """VIMCO's surrogate with another baseline."""

    def apply(state, key, f, q, context=None):
        samples = q.sample(seed=key, sample_shape=(K,))
        log_weights = jax.vmap(f)(samples)
        bound = jax.nn.logsumexp(log_weights) - jnp.log(K)
        weights = bound - baselines(log_weights)
        return with_gradient(bound, weights, q.log_prob(samples)), None

    return dataclasses.replace(vimco(K), apply=apply)


@pytest.mark.parametrize(
    "baselines",
    [
        lambda w: jnp.full(K, jnp.mean(w)),
        lambda w: leave_one_out_bounds(w) - 0.05 * w,
        lambda w: jnp.full(K, jax.nn.logsumexp(w) - jnp.log(K)),
    ],
    ids=["mean of all", "a little of its own", "the bound itself"],
)
def test_a_baseline_that_sees_its_own_sample_is_rejected(baselines, key):
    assert_biased(draws(broken(baselines), bits, key, NUM_DRAWS), bits.gradient())


def test_one_key_for_all_samples_is_rejected(key):
    """K copies of one sample: the bound of K = 1."""
    one_key = dataclasses.replace(
        vimco(K),
        apply=lambda state, key, f, q, context=None: vimco(K).apply(state, key, f, Copies(q)),
    )
    assert_biased(draws(one_key, bits, key, NUM_DRAWS), bits.gradient())


class Copies:
    """q that answers every draw with the same sample."""

    def __init__(self, q):
        self.q = q

    def sample(self, *, seed, sample_shape):
        one = self.q.sample(seed=seed)
        return jnp.broadcast_to(one, (*sample_shape, *one.shape))

    def log_prob(self, value):
        return self.q.log_prob(value)


def test_less_variance_than_no_baseline(key):
    """The point of it; by a factor of ten at K = 10."""
    keys = jax.random.split(key)
    many = vimco(10)

    def plain(state, key, f, q, context=None):
        samples = q.sample(seed=key, sample_shape=(10,))
        log_weights = jax.vmap(f)(samples) - 20.0  # as far from zero as an image's bound
        bound = jax.nn.logsumexp(log_weights) - jnp.log(10)
        return with_gradient(bound, jnp.full(10, bound), q.log_prob(samples)), None

    ours = draws(many, bits, keys[0], 5000).var(axis=0).sum()
    theirs = draws(dataclasses.replace(many, apply=plain), bits, keys[1], 5000).var(axis=0).sum()
    assert 10 * ours < theirs


def test_one_sample_is_refused():
    with pytest.raises(ValueError, match="num_samples: got 1, expected an integer >= 2"):
        vimco(1)


def test_a_weight_of_zero_is_reported(key):
    """f = -inf at some samples: the bound is right, and the geometric means may be zero."""
    problem = bits._replace(f=lambda params, b: jnp.where(b[0] > 0, -jnp.inf, 0.5))
    value, estimate = jax.jit(surrogate(vimco(64), problem))(bits.params, key)
    np.testing.assert_allclose(value, 0.5 + np.log(np.mean(estimate.values > 0)), rtol=1e-5)
    assert not estimate.all_finite

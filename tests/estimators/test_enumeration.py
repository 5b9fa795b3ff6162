"""Exact enumeration, and the sum over one latent at a time. False-alarm rate 1e-6 per test."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import problems
import pytest
from laws import assert_unbiased, rejected

from jaxgen.estimators import count_evaluations, enumeration, local_expectation
from jaxgen.estimators.discrete import factors

DISCRETE = [*problems.BERNOULLI, *problems.CATEGORICAL, *problems.ONE_HOT]


@pytest.mark.parametrize("problem", DISCRETE, ids=problems.by_name)
def test_enumeration_is_exact(problem, key):
    apply = jax.jit(problems.surrogate(enumeration(), problem))
    value, estimate = apply(problem.params, key)
    np.testing.assert_allclose(value, jax.jit(problem.exact)(problem.params), rtol=1e-5)
    np.testing.assert_allclose(estimate.values, [value], rtol=1e-6)
    grad = jax.jit(problems.gradient(enumeration(), problem))(jax.random.key(1))
    np.testing.assert_allclose(grad, problem.gradient(), rtol=1e-4, atol=1e-6)


def test_the_hessian_by_enumeration_is_exact():
    problem = problems.bernoulli_inside
    flat, unravel = jax.flatten_util.ravel_pytree(problem.params)
    apply = problems.surrogate(enumeration(), problem)
    hessian = jax.jit(jax.hessian(lambda p: apply(unravel(p), jax.random.key(0))[0]))(flat)
    truth = jax.jit(jax.hessian(lambda p: problem.exact(unravel(p))))(flat)
    np.testing.assert_allclose(hessian, truth, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("problem", DISCRETE[2:], ids=problems.by_name)
def test_local_expectation_is_unbiased(problem, key):
    draws = problems.draws(local_expectation(64), problem, key, 4000)
    assert_unbiased(draws, problem.gradient())
    with rejected():
        assert_unbiased(1.02 * draws, problem.gradient())


@pytest.mark.parametrize(
    "problem", [DISCRETE[0], problems.categorical, problems.one_hot], ids=problems.by_name
)
def test_local_expectation_is_exact_for_one_latent(problem, key):
    draws = problems.draws(local_expectation(1), problem, key, 100)
    np.testing.assert_allclose(draws, jnp.tile(problem.gradient(), (100, 1)), rtol=1e-4, atol=1e-6)


def test_the_wrong_latents_probability_is_rejected(key):
    # A twin of local expectation that weights the flip of latent i with latent i + 1.
    problem = problems.coupled

    def broken(key):
        b = problem.q(problem.params).sample(seed=key)
        flips = jnp.where(jnp.eye(8, dtype=bool), 1 - b, b)
        slopes = (1 - 2 * b) * (jax.vmap(lambda z: problem.f(None, z))(flips) - problem.f(None, b))
        probs = jax.nn.sigmoid(jnp.roll(problem.params, 1))
        return slopes * probs * (1 - probs)

    draws = jax.jit(jax.vmap(broken))(jax.random.split(key, 50_000))
    with rejected():
        assert_unbiased(draws, problem.gradient())


@pytest.mark.parametrize("problem", DISCRETE, ids=problems.by_name)
def test_factors_encode_and_decode_samples(problem, key):
    q = problem.q(problem.params)
    latents = factors(q)
    samples = q.sample(seed=key, sample_shape=(3, 5))
    states = latents.encode(samples)
    assert states.shape == (3, 5, len(latents.log_probs))
    np.testing.assert_array_equal(latents.decode(states), samples)
    log_probs = sum(latents.log_probs[i, states[..., i]] for i in range(len(latents.log_probs)))
    np.testing.assert_allclose(log_probs, q.log_prob(samples), rtol=1e-5)


def test_evaluations_are_counted():
    bits = distrax.Independent(distrax.Bernoulli(jnp.zeros((2, 3))), 2)
    three_of_four = distrax.Independent(distrax.Categorical(jnp.zeros((3, 4))), 1)
    assert count_evaluations(enumeration(), bits) == 64
    assert count_evaluations(enumeration(), three_of_four) == 64
    assert count_evaluations(local_expectation(2), bits) == 2 * (1 + 6)
    assert count_evaluations(local_expectation(2), three_of_four) == 2 * (1 + 9)


def test_bad_input(key):
    wide = distrax.Independent(distrax.Bernoulli(jnp.zeros(13)), 1)
    with pytest.raises(
        ValueError, match=r"q: got 8192 states, expected at most 4096 \(max_states\)"
    ):
        enumeration().apply((), key, jnp.sum, wide)
    normal = distrax.Normal(0.0, 1.0)
    for estimator in (enumeration(), local_expectation()):
        with pytest.raises(ValueError, match=r"q: got Normal, expected distrax\.Bernoulli"):
            estimator.apply((), jax.random.key(1), jnp.sum, normal)
    with pytest.raises(ValueError, match="max_states: got 0"):
        enumeration(max_states=0)
    with pytest.raises(ValueError, match="num_samples: got 0"):
        local_expectation(0)


@pytest.mark.parametrize("estimator", [enumeration(), local_expectation()], ids=lambda e: e.name)
def test_logits_that_are_not_finite_are_told(estimator, key):
    q = distrax.Independent(distrax.Bernoulli(jnp.array([0.0, jnp.nan])), 1)
    apply = jax.jit(lambda key: estimator.apply((), key, lambda b: jnp.sum(b) * 1.0, q))
    assert not apply(key)[1].all_finite

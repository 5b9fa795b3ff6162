"""Measure-valued gradients against exact ones. False-alarm rate 1e-6 per test."""

import sys

import distrax
import jax
import jax.numpy as jnp
import problems
import pytest
from laws import assert_unbiased, rejected

from jaxgen.estimators import count_evaluations, evaluate, measure_valued

DRAWS = 2000


@pytest.mark.parametrize(
    "problem",
    [*problems.GAUSSIAN, problems.poisson, problems.coupled, problems.bernoulli_inside],
    ids=problems.by_name,
)
def test_is_unbiased(problem, key):
    draws = problems.draws(measure_valued(256), problem, key, DRAWS)
    assert_unbiased(draws, problem.gradient())
    with rejected():
        assert_unbiased(1.02 * draws, problem.gradient())


def test_one_bernoulli_is_exact(key):
    problem = problems.toy(0.499)
    assert_unbiased(problems.draws(measure_valued(), problem, key, 100), problem.gradient())


def test_a_diagonal_multivariate_normal_and_a_batch_of_normals(key):
    problem = problems.quadratic
    for i, q in enumerate((distrax.MultivariateNormalDiag, distrax.Normal)):
        same = problem._replace(q=lambda params, q=q: q(params["mean"], params["scale"]))
        draws = problems.draws(measure_valued(16), same, jax.random.fold_in(key, i), DRAWS)
        assert_unbiased(draws, problem.gradient())


def test_a_wrong_plus_side_is_rejected(key):
    # The plus side of the scale's derivative is a Maxwell; a wider normal will not do.
    mean, scale = 0.7, 0.8

    def broken(key):
        first, second = jax.random.split(key)
        plus, minus = jax.random.normal(first), jax.random.normal(second)
        f = lambda z: (z + 0.5) ** 2  # noqa: E731
        return (f(mean + scale * 1.4 * plus) - f(mean + scale * minus)) / scale

    draws = jax.jit(jax.vmap(broken))(jax.random.split(key, 100_000))
    with rejected():
        assert_unbiased(draws, 2 * scale)


def test_evaluations_are_counted(monkeypatch):
    for q, latents, cost in (
        (distrax.Independent(distrax.Normal(jnp.zeros((2, 3)), 1.0), 2), 6, 3),
        (distrax.MultivariateNormalDiag(jnp.zeros(4)), 4, 3),
        (distrax.Bernoulli(jnp.zeros(5)), 5, 1),
    ):
        assert count_evaluations(measure_valued(2), q) == 2 * (1 + cost * latents)
        rows = []

        def counted(f, samples, rows=rows):
            rows.append(len(samples))
            return evaluate(f, samples)

        monkeypatch.setattr(sys.modules[measure_valued.__module__], "evaluate", counted)
        apply = lambda key, q=q: measure_valued(2).apply((), key, lambda z: jnp.sum(z) * 1.0, q)  # noqa: E731
        jax.eval_shape(apply, jax.random.key(0))
        assert sum(rows) == 2 * (1 + cost * latents)


def test_bad_input(key):
    with pytest.raises(ValueError, match="num_samples: got 0"):
        measure_valued(0)
    with pytest.raises(ValueError, match=r"q: got Gamma, expected distrax\.Normal"):
        measure_valued().apply((), key, jnp.sum, distrax.Gamma(1.0, 1.0))


def test_params_that_are_not_finite_are_told(key):
    q = distrax.Normal(jnp.array([0.0, jnp.nan]), 1.0)
    assert not measure_valued(2).apply((), key, jnp.sum, q)[1].all_finite

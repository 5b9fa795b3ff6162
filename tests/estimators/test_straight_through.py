"""Straight-through: exact for f linear in each latent, biased elsewhere; false alarms 1e-6."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_biased, assert_unbiased, rejected
from problems import (
    BERNOULLI,
    bernoulli_inside,
    by_name,
    coupled,
    draws,
    one_hot,
    one_hots,
    surrogate,
    toy,
)
from quadrature import moments
from scipy.special import expit

from jaxgen.estimators import gumbel_straight_through, straight_through

NUM_DRAWS = 100_000
linear = coupled._replace(
    name="linear",
    f=lambda params, b: b @ jnp.linspace(-1.0, 2.0, 8),
    exact=lambda logits: jax.nn.sigmoid(logits) @ jnp.linspace(-1.0, 2.0, 8),
)


@pytest.mark.parametrize("problem", [linear, one_hot, one_hots], ids=by_name)
def test_exact_where_f_is_linear_in_each_latent(problem, key):
    grads = draws(straight_through(), problem, key, NUM_DRAWS)
    assert_unbiased(grads, problem.gradient())
    with rejected():
        assert_unbiased(1.02 * grads, problem.gradient())


@pytest.mark.parametrize("problem", BERNOULLI, ids=by_name)
@pytest.mark.parametrize("estimator", [straight_through(), gumbel_straight_through()], ids=by_name)
def test_biased(estimator, problem, key):
    assert_biased(draws(estimator, problem, key, NUM_DRAWS), problem.gradient())


@pytest.mark.parametrize("target", [0.45, 0.499])
def test_bias_on_the_toy(target):
    """E[f'(b)] p (1 - p) = 2 (p - t) p (1 - p), and not (1 - 2 t) p (1 - p)."""
    p = expit(0.3)
    mean, _ = moments(straight_through(), toy(target), breaks=(1 - p,))
    np.testing.assert_allclose(mean, 2 * (p - target) * p * (1 - p), rtol=1e-4)


def test_the_gumbel_form_loses_its_bias_on_linear_f_as_the_temperature_falls():
    problem = toy(0.0)._replace(f=lambda params, b: b)
    p = expit(0.3)
    estimators = [gumbel_straight_through(temperature=t) for t in (1.0, 0.5, 0.1)]
    errors = [
        abs(moments(estimator, problem, breaks=(1 - p,), count=400)[0][0] - p * (1 - p))
        for estimator in estimators
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01 * p * (1 - p)


@pytest.mark.parametrize(
    "estimator", [straight_through(64), gumbel_straight_through(64)], ids=by_name
)
@pytest.mark.parametrize("problem", [bernoulli_inside, one_hots], ids=by_name)
def test_f_sees_hard_samples(estimator, problem, key):
    hard = problem._replace(
        f=lambda params, b: jnp.where(jnp.all((b == 0) | (b == 1)), 1.0, jnp.nan)
    )
    values = jax.jit(surrogate(estimator, hard))(problem.params, key)[1].values
    np.testing.assert_array_equal(values, 1.0)

"""The relaxation is unbiased for E[f(relaxed z)], biased for E_q[f]: false alarms 1e-6 per law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_biased, assert_unbiased, rejected
from problems import BERNOULLI, ONE_HOT, by_name, categorical, draws, one_hot, surrogate, toy
from quadrature import moments
from scipy import integrate, stats
from scipy.special import expit

from jaxgen.estimators import relaxed

NUM_DRAWS = 100_000


def relaxed_gradient(target, logit, temperature):
    """d/dlogit E[(sigmoid((logit + noise) / t) - target)^2] by adaptive quadrature."""

    def slope(noise):
        s = expit((logit + noise) / temperature)
        return 2 * (s - target) * s * (1 - s) / temperature * stats.logistic.pdf(noise)

    return integrate.quad(slope, -40, 40, limit=200, points=[-logit])[0]


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_the_mean_is_that_of_the_relaxed_objective(temperature, key):
    truth = [relaxed_gradient(0.45, 0.3, temperature)]
    grads = draws(relaxed(temperature=temperature), toy(0.45), key, NUM_DRAWS)
    assert_unbiased(grads, truth)
    for broken in (-grads, temperature**2 * grads if temperature != 1 else 2 * grads):
        with rejected():  # the sign, the chain rule through z / t
            assert_unbiased(broken, truth)


@pytest.mark.parametrize("problem", [p for p in BERNOULLI + ONE_HOT], ids=by_name)
def test_biased(problem, key):
    assert_biased(draws(relaxed(), problem, key, NUM_DRAWS), problem.gradient())


def test_the_bias_is_as_stated():
    """On the toy with target .45, in units of the gradient: 8%, 30% and 14% at t = 1, .5, .1."""
    truth = float(toy(0.45).gradient()[0])
    bias = [
        moments(relaxed(temperature=t), toy(0.45), count=400)[0][0] / truth - 1
        for t in (1.0, 0.5, 0.1)
    ]
    expected = [relaxed_gradient(0.45, 0.3, t) / truth - 1 for t in (1.0, 0.5, 0.1)]
    np.testing.assert_allclose(bias, expected, atol=2e-3)
    np.testing.assert_allclose(bias, [0.08, 0.30, 0.14], atol=0.01)


def test_one_hot_samples_lie_in_the_simplex_and_follow_q(key):
    """As t falls the largest coordinate is the sample: f = z gives the probabilities."""

    def first_moment(logits):
        problem = one_hot._replace(params=logits, f=lambda params, z: z[2])
        return surrogate(relaxed(20_000, temperature=0.01), problem)(logits, key)[1].values

    values = np.asarray(jax.jit(first_moment)(one_hot.params))
    assert values.min() >= 0
    assert values.max() <= 1
    assert_unbiased(values, jax.nn.softmax(one_hot.params)[2])


def test_integer_categories_are_refused(key):
    with pytest.raises(ValueError, match=r"q: got Categorical.*OneHotCategorical"):
        surrogate(relaxed(), categorical)(jnp.zeros(4), key)

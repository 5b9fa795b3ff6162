"""ARM, and the antithetic pairs that DisARM shares: false-alarm rate 1e-6 per law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from problems import BERNOULLI, bernoulli_inside, by_name, coupled, draws, toy
from quadrature import moments

from jaxgen.estimators import arm
from jaxgen.estimators.antithetic import antithetic

NUM_DRAWS = 100_000


@pytest.mark.parametrize("problem", BERNOULLI, ids=by_name)
def test_unbiased(problem, key):
    assert_unbiased(draws(arm(), problem, key, NUM_DRAWS), problem.gradient())


def test_a_scale_error_of_two_percent_is_seen(key):
    grads = draws(arm(), bernoulli_inside, key, NUM_DRAWS)
    with rejected():
        assert_unbiased(1.02 * grads, bernoulli_inside.gradient())


@pytest.mark.parametrize(
    "weight",
    [
        lambda u, b, opposite, logits: 0.5 - u,
        lambda u, b, opposite, logits: (u - 0.5) * jax.nn.sigmoid(logits),
    ],
    ids=["sign flipped", "one factor too many"],
)
def test_broken_weights_are_rejected(weight, key):
    grads = draws(antithetic(2, name="broken", weight=weight), coupled, key, NUM_DRAWS)
    with rejected():
        assert_unbiased(grads, coupled.gradient())


@pytest.mark.parametrize("target", [0.45, 0.499])
@pytest.mark.parametrize("logit", [-2.0, 0.3])
def test_moments_on_one_latent(target, logit):
    """g = (f1 - f0) |u - 1/2| where the pair differs: |u - 1/2| > |p - 1/2|."""
    p = 1 / (1 + np.exp(-logit))
    mean, variance = moments(arm(), toy(target, logit), breaks=(p, 1 - p))
    half = abs(p - 0.5)
    slope = (1 - target) ** 2 - target**2
    np.testing.assert_allclose(mean, slope * p * (1 - p), rtol=1e-4)
    second = slope**2 * 2 * (0.5**3 - half**3) / 3
    np.testing.assert_allclose(variance, second - (slope * p * (1 - p)) ** 2, rtol=1e-4)


def test_samples_average(key):
    """Eight evaluations have a quarter of the variance of two."""
    keys = jax.random.split(key)
    few = draws(arm(2), coupled, keys[0], 20_000).var(axis=0)
    many = draws(arm(8), coupled, keys[1], 20_000).var(axis=0)
    np.testing.assert_allclose(few / many, 4.0, rtol=0.1)


@pytest.mark.parametrize("num_samples", [0, 1, 3])
def test_samples_come_in_pairs(num_samples):
    with pytest.raises(ValueError, match="num_samples"):
        arm(num_samples)


def test_extreme_logits_give_samples_of_q(key):
    extreme = coupled._replace(params=jnp.array([-30.0, 30.0] * 4))
    grads = draws(arm(), extreme, key, 1000)
    np.testing.assert_allclose(grads, 0.0, atol=1e-6)

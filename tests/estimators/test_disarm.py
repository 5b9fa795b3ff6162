"""DisARM: false-alarm rate 1e-6 per law."""

import jax
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from problems import BERNOULLI, bernoulli_inside, by_name, coupled, draws, toy
from quadrature import moments

from jaxgen.estimators import arm, disarm
from jaxgen.estimators.antithetic import antithetic

NUM_DRAWS = 100_000


@pytest.mark.parametrize("problem", BERNOULLI, ids=by_name)
def test_unbiased(problem, key):
    assert_unbiased(draws(disarm(), problem, key, NUM_DRAWS), problem.gradient())


def test_four_samples_are_two_pairs(key):
    assert_unbiased(draws(disarm(4), coupled, key, NUM_DRAWS), coupled.gradient())


def test_a_scale_error_of_two_percent_is_seen(key):
    grads = draws(disarm(), bernoulli_inside, key, NUM_DRAWS)
    with rejected():
        assert_unbiased(1.02 * grads, bernoulli_inside.gradient())


@pytest.mark.parametrize(
    "weight",
    [
        lambda u, b, opposite, logits: 0.5 * (opposite - b) * jax.nn.sigmoid(abs(logits)),
        lambda u, b, opposite, logits: 0.5 * (b - opposite),
        lambda u, b, opposite, logits: 0.5 * (b - opposite) * jax.nn.sigmoid(logits),
    ],
    ids=["sign flipped", "chain-rule factor forgotten", "absolute value forgotten"],
)
def test_broken_weights_are_rejected(weight, key):
    grads = draws(antithetic(2, name="broken", weight=weight), coupled, key, NUM_DRAWS)
    with rejected():
        assert_unbiased(grads, coupled.gradient())


@pytest.mark.parametrize("target", [0.45, 0.499])
@pytest.mark.parametrize("logit", [-3.0, 0.3, 1.5])
def test_exact_variance_is_below_arm_and_the_plain_score(target, logit):
    p = 1 / (1 + np.exp(-logit))
    problem, breaks = toy(target, logit), (p, 1 - p)
    mean, variance = moments(disarm(), problem, breaks=breaks)
    np.testing.assert_allclose(mean, (1 - 2 * target) * p * (1 - p), rtol=1e-4)
    # The pair differs with probability 2 min(p, 1 - p) and then gives a constant.
    odds = 2 * min(p, 1 - p)
    constant = 0.5 * (1 - 2 * target) * max(p, 1 - p)
    np.testing.assert_allclose(variance, constant**2 * odds * (1 - odds), rtol=1e-4)
    assert variance <= moments(arm(), problem, breaks=breaks)[1]
    # Two evaluations of the plain score, enumerated: Var[f(b) (b - p)] / 2.
    scores = np.array([target**2 * -p, (1 - target) ** 2 * (1 - p)])
    score_variance = (1 - p) * scores[0] ** 2 + p * scores[1] ** 2 - mean**2
    assert variance < score_variance / 2


def test_less_variance_than_arm_on_every_bit(key):
    keys = jax.random.split(key)
    ours = draws(disarm(), coupled, keys[0], 20_000).var(axis=0)
    assert np.all(ours < draws(arm(), coupled, keys[1], 20_000).var(axis=0))

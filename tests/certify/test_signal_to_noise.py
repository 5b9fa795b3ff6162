"""The signal-to-noise ratio of estimators by their samples, against closed forms."""

import dataclasses

import distrax
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.certify import signal_to_noise
from jaxgen.estimators import pathwise, score_function

# d/dmean of E (z - x)², z ~ N(mean, 1), at D = mean - x: 2 D, with a variance, of one sample, of 4
# by the pathwise gradient and of D⁴ + 14 D² + 15 by the score function's (Mohamed et al. 2020).
COUNTS = (1, 4, 16)


def target(mean, x):
    return lambda z: (z - x) ** 2, distrax.Normal(mean, 1.0)


def measured(estimators, mean, num_draws, xs):
    def found(mean, key, xs):
        return signal_to_noise(target, estimators, COUNTS, num_draws, mean, key, xs)

    return jax.jit(found)(mean, jax.random.key(0), xs)


def biased(num_samples):
    """The score function, its claim to be unbiased taken away."""
    return dataclasses.replace(score_function(num_samples), unbiased=False)


def test_ratios_and_slopes_are_those_of_the_closed_forms():
    found = measured((pathwise, score_function), 0.7, 20_000, jnp.array([-0.5]))
    signal, counts = 2 * 1.2, np.array(COUNTS)
    for ratios, variance in zip(found.ratios, (4, 1.2**4 + 14 * 1.2**2 + 15), strict=True):
        np.testing.assert_allclose(ratios, signal * np.sqrt(counts / variance), rtol=0.05)
    np.testing.assert_allclose(found.slopes, 0.5, atol=0.03)


def test_the_median_is_over_datapoints():
    xs = jnp.array([0.1, 1.0, 10.0])
    found = measured((pathwise,), 0.0, 4000, xs)
    np.testing.assert_allclose(found.ratios[0], 1.0 * np.sqrt(COUNTS), rtol=0.05)


def test_unbiased_estimators_share_the_mean_of_the_quietest():
    """The score function's own mean is lost in noise: off by .06 on average, and the truth .02."""
    found = measured((pathwise, score_function, biased), 0.01, 4000, jnp.zeros(1))
    squared_signals = found.ratios**2 * jnp.array([[4.0], [15.0], [15.0]])
    np.testing.assert_allclose(squared_signals[1], squared_signals[0], rtol=0.15)
    assert np.all(np.abs(squared_signals[2] / squared_signals[0] - 1) > 0.3)


def test_a_gradient_of_zero_does_not_read_as_one_of_its_noise():
    """Uncorrected, the squared ratio is chi-squared / 50 of one degree of freedom: median .0091."""
    found = measured((pathwise,), 0.0, 50, jnp.zeros(1000))
    assert np.all(found.ratios**2 < 0.003)

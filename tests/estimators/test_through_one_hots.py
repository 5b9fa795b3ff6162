"""What is straight through a one-hot sample: exact means over every state of q.

False-alarm rate 1e-6 per law of draws.
"""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from problems import bernoulli_inside, by_name, coupled, draws, gradient, one_hot, one_hots, toy
from quadrature import moments
from scipy import stats
from scipy.special import expit

from jaxgen.estimators import (
    all_states,
    gapped_straight_through,
    gumbel_rao,
    gumbel_straight_through,
    reinmax,
    straight_through,
)
from jaxgen.estimators.discrete import factors
from jaxgen.estimators.gumbel_rao import given_the_largest
from jaxgen.estimators.one_hots import moving, through_one_hots

NUM_DRAWS = 50_000
_W = jnp.array([0.5, -1.0, 2.0, 0.3])
square = one_hot._replace(
    name="square",
    f=lambda params, z: (z @ _W) ** 2,
    exact=lambda logits: jax.nn.softmax(logits) @ _W**2,
)


def exact_mean(estimator, problem):
    """The mean of an estimator whose only noise is the state that it draws."""
    q = problem.q(problem.params)
    latents = factors(q)
    states = latents.encode(all_states(q, 256))
    log_probs = jnp.take_along_axis(latents.log_probs[None], states[..., None], -1).sum((1, 2))

    def given(state):
        drawn = lambda key, logits, axis=-1, shape=(): state.reshape(shape)  # noqa: E731
        with mock.patch.object(jax.random, "categorical", drawn):
            return gradient(estimator, problem)(jax.random.key(0))

    return np.asarray(jnp.exp(log_probs) @ jax.jit(jax.vmap(given))(states))


QUADRATIC = [toy(0.45), bernoulli_inside, one_hot, one_hots, square]


@pytest.mark.parametrize("problem", QUADRATIC, ids=by_name)
def test_reinmax_is_exact_where_f_is_quadratic_in_each_latent(problem):
    np.testing.assert_allclose(
        exact_mean(reinmax(), problem), problem.gradient(), rtol=1e-4, atol=1e-6
    )


def _softmax(key, drawn, logits):
    """Straight-through."""
    return jax.nn.softmax(logits)


@pytest.mark.parametrize(
    "broken",
    [
        _softmax,
        lambda key, drawn, logits: jax.nn.softmax(jnp.log((drawn + 1) / 5) + moving(logits)),
    ],
)
def test_one_slope_for_heuns_two_is_rejected(broken):
    found = exact_mean(through_one_hots(1, name="broken", stand_in=broken), square)
    assert np.max(np.abs(found - square.gradient())) > 0.05


def test_reinmax_is_less_biased_than_straight_through_on_coupled_bits():
    """f is no quadratic there."""
    straight = through_one_hots(1, name="straight-through", stand_in=_softmax)
    errors = [
        np.max(np.abs(exact_mean(estimator, coupled) - coupled.gradient()))
        for estimator in (reinmax(), straight)
    ]
    np.testing.assert_allclose(errors, [0.0153, 0.0255], rtol=0.01)


@pytest.mark.parametrize(("gap", "temperature"), [(1.0, 1.0), (0.5, 0.7)])
@pytest.mark.parametrize("problem", [toy(0.45), square], ids=by_name)
def test_the_gapped_mean_is_that_of_its_definition(problem, gap, temperature):
    logits = np.atleast_1d(problem.params).astype(float)
    one_bit = len(logits) == 1
    logits = np.append(0.0, logits) if one_bit else logits
    probs = np.exp(logits) / np.exp(logits).sum()
    slopes = 2 * (np.arange(2) - 0.45) if one_bit else 2 * np.asarray(_W)
    mean = 0.0
    for k, prob in enumerate(probs):
        moved = np.minimum(logits, logits.max() - gap)
        moved[k] = logits.max()
        soft = np.exp(moved / temperature) / np.exp(moved / temperature).sum()
        jacobian = (np.diag(soft) - np.outer(soft, soft)) / temperature
        # f' at the drawn state: of the toy along b alone, of the square along w.
        along = np.array([0.0, slopes[k]]) if one_bit else slopes[k] * np.asarray(_W)
        mean = mean + prob * jacobian @ along
    expected = mean[1] if one_bit else mean
    estimator = gapped_straight_through(gap=gap, temperature=temperature)
    np.testing.assert_allclose(exact_mean(estimator, problem), expected, rtol=1e-4)
    ungapped = gapped_straight_through(gap=0.0, temperature=temperature)
    assert not np.allclose(exact_mean(ungapped, problem), expected, rtol=1e-3)


@pytest.mark.parametrize("logits", [[0.0, 0.8], [0.3, -1.0, 2.0]])
def test_given_its_largest_a_gumbel_is_a_gumbel(logits, key):
    logits, keys = jnp.array(logits), jax.random.split(key)
    drawn = jax.random.categorical(keys[0], logits, shape=(20_000,))
    drawn = jax.nn.one_hot(drawn, len(logits))
    z = jax.jit(lambda key: given_the_largest(key, drawn, logits, 1))(keys[1])[0]
    np.testing.assert_array_equal(jnp.argmax(z, -1), jnp.argmax(drawn, -1))
    noise = np.asarray(z - logits)
    assert min(stats.kstest(column, "gumbel_r").pvalue for column in noise.T) > 1e-6
    assert abs(np.corrcoef(noise[:, 0], noise[:, 1])[0, 1]) < 5 / np.sqrt(20_000)


def test_gumbel_rao_has_the_mean_of_gumbel_straight_through_and_less_variance(key):
    p = expit(0.3)
    mean, variance = moments(gumbel_straight_through(), toy(0.45), breaks=(1 - p,), count=400)
    found = draws(gumbel_rao(), toy(0.45), key, NUM_DRAWS)
    assert_unbiased(found, mean)
    assert np.var(found) < 0.9 * variance

    def unconditioned(key, drawn, logits):
        z = logits + jax.random.gumbel(key, logits.shape)
        return jax.nn.softmax(z / 0.5)

    broken = through_one_hots(1, name="broken", stand_in=unconditioned)
    with rejected():
        assert_unbiased(draws(broken, toy(0.45), jax.random.key(1), NUM_DRAWS), mean)


def test_the_backward_temperature_is_that_of_the_slope_alone():
    p = expit(0.3)
    mean, _ = moments(straight_through(temperature=2.0), toy(0.45), breaks=(1 - p,))
    slope = expit(0.15) * expit(-0.15) / 2
    np.testing.assert_allclose(mean, 2 * (p - 0.45) * slope, rtol=1e-4)


@pytest.mark.parametrize("make", [reinmax, gumbel_rao, gapped_straight_through])
def test_masked_states_are_no_fault(make, key):
    masked = one_hot._replace(params=one_hot.params.at[1].set(-jnp.inf))
    found = jax.jit(gradient(make(4), masked))(key)
    assert np.all(np.isfinite(found))
    assert found[1] == 0.0

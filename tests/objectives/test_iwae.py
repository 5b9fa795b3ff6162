"""The importance-weighted bound against the linear-Gaussian model."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from linear_gaussian import example

from jaxgen.numerics import log_mean_exp
from jaxgen.objectives import importance_weighted_bound

MODEL, X = example()
Q = distrax.Independent(distrax.Normal(jnp.array([0.3, -0.5]), jnp.array([0.9, 1.4])), 1)


def log_joint(z):
    return MODEL.log_joint(X, z)


def bounds(num_samples, draws=20_000):
    keys = jax.random.split(jax.random.key(num_samples), draws)
    return jax.jit(jax.vmap(lambda key: importance_weighted_bound(key, log_joint, Q, num_samples)))(
        keys
    )


def test_iwae_exponentiated_is_unbiased_for_the_likelihood():
    # exp: the marginal itself; scaled by the truth so that the numbers are near one.
    draws = np.exp(np.asarray(bounds(20), np.float64) - MODEL.log_marginal(X))
    assert_unbiased(draws, 1.0)


def test_a_forgotten_log_k_is_caught():
    draws = np.exp(np.asarray(bounds(20), np.float64) + np.log(20) - MODEL.log_marginal(X))
    with rejected():
        assert_unbiased(draws, 1.0)


def test_mean_over_the_wrong_axis_is_caught():
    """Averaging the batch's weights before the log turns B bounds into one; the law sees it."""
    xs = X + jnp.linspace(-1.0, 1.0, 4)[:, None]
    truth = np.array([MODEL.log_marginal(x) for x in xs])

    def log_weights(key):  # [samples, datapoints]
        z = Q.sample(seed=key, sample_shape=(20,))
        return jax.vmap(lambda z: jax.vmap(lambda x: MODEL.log_joint(x, z))(xs) - Q.log_prob(z))(z)

    weights = jax.jit(jax.vmap(log_weights))(jax.random.split(jax.random.key(0), 5000))
    right = jax.vmap(lambda w: log_mean_exp(w, axis=0))(weights)
    wrong = jax.vmap(lambda w: log_mean_exp(w, axis=1).mean() * jnp.ones(4))(weights)
    assert_unbiased(np.exp(np.asarray(right, np.float64) - truth), np.ones(4))
    with rejected():
        assert_unbiased(np.exp(np.asarray(wrong, np.float64) - truth), np.ones(4))


def test_iwae_rises_with_the_number_of_samples_and_stays_below_the_truth():
    one, five, fifty = (float(bounds(k).mean()) for k in (1, 5, 50))
    assert one < five < fifty < MODEL.log_marginal(X) + 0.01
    reconstruction, rate = MODEL.elbo_terms(X, Q.mean(), Q.stddev())
    assert_unbiased(bounds(1), reconstruction - rate)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="num_samples: got 0, expected an integer >= 1"):
        importance_weighted_bound(jax.random.key(0), log_joint, Q, 0)

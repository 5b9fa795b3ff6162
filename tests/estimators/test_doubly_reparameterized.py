"""DReG against the bound's gradient by quadrature: false-alarm rate 1e-6 per law."""

import dataclasses

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from laws import assert_biased, assert_unbiased, rejected

from jaxgen.estimators import doubly_reparameterized, sticking_the_landing

NUM_DRAWS = 100_000
PARAMS = {"log_scale": jnp.array(-0.2), "mean": jnp.array(0.4), "prior_mean": jnp.array(1.0)}


def q_of(params):
    return distrax.Normal(params["mean"], jnp.exp(params["log_scale"]))


def objective(params):
    """f(z, q) = log w(z): a Gaussian model whose prior mean is learned too."""
    return lambda z, q: (
        distrax.Normal(params["prior_mean"], 2.0).log_prob(z)
        + distrax.Normal(z, 0.8).log_prob(-0.5)
        - q.log_prob(z)
    )


def bound(params):
    """E[L] at K = 2 by Gauss-Hermite in both samples."""
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    z = params["mean"] + jnp.exp(params["log_scale"]) * points
    log_weights = jax.vmap(lambda z: objective(params)(z, q_of(params)))(z)
    probs = jnp.asarray(weights / weights.sum())
    return probs @ (jnp.logaddexp(log_weights[:, None], log_weights) - jnp.log(2)) @ probs


def draws(estimator, key, num_draws=NUM_DRAWS, f=objective, params=PARAMS):
    def surrogate(params, key):
        return estimator.apply((), key, f(params), q_of(params))[0]

    one = lambda key: ravel_pytree(jax.grad(surrogate)(params, key))[0]  # noqa: E731
    return np.asarray(jax.jit(lambda key: jax.vmap(one)(jax.random.split(key, num_draws)))(key))


def truth():
    return ravel_pytree(jax.grad(bound)(PARAMS))[0]


def test_unbiased(key):
    grads = draws(doubly_reparameterized(2), key)
    assert_unbiased(grads, truth())
    with rejected():
        assert_unbiased(1.02 * grads, truth())


@pytest.mark.parametrize("power", [1, 3])
def test_other_powers_of_the_weights_are_rejected(power, key):
    """The weights squared, and no other power, make up for the score that is left out."""

    def apply(state, key, f, q, context=None):
        stopped = jax.lax.stop_gradient(q)
        samples = q.sample(seed=key, sample_shape=(2,))
        log_weights = jax.vmap(lambda z: f(z, stopped))(samples)
        return jnp.sum(jax.lax.stop_gradient(jax.nn.softmax(log_weights) ** power) * log_weights)

    broken = dataclasses.replace(
        doubly_reparameterized(2), apply=lambda *args: (apply(*args), None)
    )
    assert_biased(draws(broken, key), truth())


def test_an_unstopped_q_is_biased(key):
    """f that scores with a q of its own, whose params are not stopped."""
    unstopped = lambda params: lambda z, q: objective(params)(z, q_of(params))  # noqa: E731
    assert_biased(draws(doubly_reparameterized(2), key, f=unstopped), truth())


def test_one_sample_is_sticking_the_landing(key):
    ours = draws(doubly_reparameterized(1), key, 100)
    theirs = draws(sticking_the_landing(1), jax.random.clone(key), 100)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def pathwise_bound(num_samples):
    """The bound's plain pathwise gradient."""

    def apply(state, key, f, q, context=None):
        samples = q.sample(seed=key, sample_shape=(num_samples,))
        log_weights = jax.vmap(lambda z: f(z, q))(samples)
        return jax.nn.logsumexp(log_weights) - jnp.log(num_samples), None

    return dataclasses.replace(doubly_reparameterized(num_samples), apply=apply)


def snr(grads):
    return abs(grads.mean(axis=0)) / grads.std(axis=0)


def test_signal_to_noise_grows_with_samples_where_the_plain_gradients_falls(key):
    """Of the mean of q; sixteen times the samples: four times up, four times down (Rainforth)."""
    keys = jax.random.split(key, 4)
    few, many = (
        snr(draws(doubly_reparameterized(k), keys[i], 40_000))[1] for i, k in enumerate((8, 128))
    )
    assert 3 < many / few < 5
    few, many = (snr(draws(pathwise_bound(k), keys[i], 40_000))[1] for i, k in ((2, 8), (3, 128)))
    assert many / few < 0.6


def test_zero_at_the_posterior(key):
    """Prior N(m, 2), likelihood N(z; .8) at -.5: with q the posterior no sample has a gradient."""
    precision = 1 / 4 + 1 / 0.64
    mean = (1.0 / 4 - 0.5 / 0.64) / precision
    params = PARAMS | {
        "mean": jnp.asarray(mean),
        "log_scale": jnp.asarray(-0.5 * np.log(precision)),
    }
    grads = draws(doubly_reparameterized(5), key, 100, params=params)
    np.testing.assert_allclose(grads[:, :2], 0.0, atol=1e-5)


def test_f_of_the_sample_alone_is_refused(key):
    with pytest.raises(ValueError, match=r"f: .*f\(z, q\)"):
        doubly_reparameterized(2).apply((), key, lambda z: z, q_of(PARAMS))


def test_a_discrete_q_is_refused(key):
    with pytest.raises(ValueError, match=r"q: .*reparameterizable"):
        doubly_reparameterized(2).apply((), key, lambda z, q: 1.0 * z, distrax.Bernoulli(0.0))

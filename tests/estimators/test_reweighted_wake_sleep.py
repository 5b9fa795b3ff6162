"""Reweighted wake-sleep against the posterior's own gradients, by sums over states."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.certify import replay
from jaxgen.estimators import reweighted_wake_sleep, vimco

COPIES = np.array([4, 3, 2, 1])
STATES = jnp.asarray(np.repeat(np.arange(4), COPIES))
PARAMS = {
    "logits": jnp.log(jnp.asarray(COPIES / 10)),
    "model": jnp.asarray(np.random.default_rng(4).normal(size=4)),
}


def gradient(estimator, samples):
    def surrogate(params):
        q = distrax.Categorical(params["logits"])
        log_p = jax.nn.log_softmax(params["model"]) + jnp.array([0.5, -0.2, 0.3, 1.0])
        f = lambda z, q=q: log_p[z] - q.log_prob(z)  # noqa: E731
        return estimator.apply((), jax.random.key(0), f, replay(q, samples))

    return jax.grad(surrogate, has_aux=True)(PARAMS)


def test_with_samples_as_q_has_them_it_climbs_log_p_and_the_posteriors_log_q():
    """Ten samples in the shares of q, so that the weighted mean is the posterior's."""
    found, estimate = gradient(reweighted_wake_sleep(10), STATES)
    prior = np.asarray(jax.nn.softmax(PARAMS["model"]), np.float64)
    joint = prior * np.exp([0.5, -0.2, 0.3, 1.0])
    posterior = joint / joint.sum()
    # grad E_p(z|x)[log q] is posterior - q; grad log p(x) is posterior - prior.
    np.testing.assert_allclose(found["logits"], posterior - COPIES / 10, atol=1e-6)
    np.testing.assert_allclose(found["model"], posterior - prior, atol=1e-6)
    assert estimate.all_finite
    broken, _ = gradient(vimco(10), STATES)  # which climbs the bound by q, too
    assert np.abs(broken["logits"] - found["logits"]).max() > 0.05


def test_its_value_is_the_bound_of_the_log_weights():
    q = distrax.Categorical(jnp.array([0.2, -0.4, 0.9]))
    f = lambda z, q=q: 2.0  # noqa: E731
    bound, estimate = reweighted_wake_sleep(3).apply((), jax.random.key(1), f, q)
    np.testing.assert_allclose(bound, 2.0, rtol=1e-6)
    np.testing.assert_array_equal(estimate.values, 2.0)
    assert not reweighted_wake_sleep(3).unbiased


def test_refusals():
    with pytest.raises(ValueError, match="num_samples: got 1, expected an integer >= 2"):
        reweighted_wake_sleep(1)
    q, f = distrax.Bernoulli(0.0), jnp.square
    with pytest.raises(ValueError, match="f: got a function that cannot be called as f"):
        reweighted_wake_sleep(2).apply((), jax.random.key(0), lambda z: f(z), q)

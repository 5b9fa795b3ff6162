"""OVIS by sums over all outcomes: its mean, its bias, and its signal-to-noise ratio against K."""

from dataclasses import replace
from functools import partial

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxgen.bounds import ELBO, IWAE
from jaxgen.certify import exact_moments, replay, sample_space
from jaxgen.estimators import ovis, vimco
from jaxgen.estimators.evaluation import with_gradient
from jaxgen.numerics import log_of_the_others

K = 3
PARAMS = {
    "logits": jnp.array([0.3, -0.2, 0.9, 0.1]),
    "model": jnp.asarray(np.random.default_rng(4).normal(size=4) * 2),
}


def log_weight(params, z, q=None):
    q = distrax.Categorical(params["logits"]) if q is None else q
    return params["model"][z] - q.log_prob(z)


def gradient(estimator, params, samples):
    """Of a model whose weights are learned, too; as one vector."""

    def surrogate(params):
        f = partial(log_weight, params)
        q = replay(distrax.Categorical(params["logits"]), samples)
        return estimator.apply((), jax.random.key(0), f, q)[0]

    grads = jax.grad(surrogate)(params)
    return jnp.concatenate([grads["logits"], grads["model"]])


def means(estimators):
    space = sample_space(distrax.Categorical(PARAMS["logits"]), K)
    return [exact_moments(partial(gradient, e, PARAMS), *space).mean for e in estimators]


def truth_and_bias():
    """The bound's gradient, and E[sum_k v_k grad log q(z_k)], over all 64 outcomes."""
    samples, _ = sample_space(distrax.Categorical(PARAMS["logits"]), K)

    def of_all(params, values):
        log_q = jax.nn.log_softmax(params["logits"])
        return jnp.exp(jnp.sum(log_q[samples], axis=1)) @ values(params, log_q)

    def bound(params, log_q):
        weights = (params["model"] - log_q)[samples]
        return jax.nn.logsumexp(weights, axis=1) - jnp.log(K)

    def scored(params, log_q):
        held = jax.nn.log_softmax(PARAMS["logits"])
        v = jax.nn.softmax((PARAMS["model"] - held)[samples], axis=1)
        return jnp.sum(v * log_q[samples], axis=1) - jnp.sum(v * held[samples], axis=1)

    def flat(values):
        grads = jax.grad(lambda params: of_all(params, values))(PARAMS)
        return np.concatenate([grads["logits"], grads["model"]])

    return flat(bound), flat(scored)


def sees_its_own(state, key, f, q, context=None):
    """With a control variate that has a twentieth of the sample's own weight in it."""
    samples = q.sample(seed=key, sample_shape=(K,))
    log_weights = jax.vmap(f)(samples)
    gains = -0.95 * log_of_the_others(log_weights)
    return with_gradient(IWAE(log_weights), gains, q.log_prob(samples)), None


def test_its_mean_is_the_gradient_and_its_bias_the_one_that_is_told():
    gammas = (0.0, 0.4, 1.0)
    estimators = [ovis(K, gamma=gamma) for gamma in gammas]
    *found, broken = jax.jit(lambda: means([*estimators, replace(ovis(K), apply=sees_its_own)]))()
    truth, bias = truth_and_bias()
    for gamma, estimator, mean in zip(gammas, estimators, found, strict=True):
        np.testing.assert_allclose(mean, truth + gamma * bias, atol=2e-6)
        assert estimator.unbiased == (gamma == 0)
    assert np.abs(bias[:4]).max() > 0.1
    assert np.abs(broken - truth).max() > 0.005


def ratios(estimators, num_samples):
    """|E g| / sd(g) in the logit of one bit, over all numbers of ones among the draws."""
    ones = jnp.arange(num_samples + 1)
    samples = (jnp.arange(num_samples) < ones[:, None]).astype(int)
    log_joint = jnp.array([0.2, 1.0])

    def one(samples):
        def surrogates(logit):
            q = distrax.Bernoulli(logit)
            f = lambda z, q=q: log_joint[z] - q.log_prob(z)  # noqa: E731
            told = [e.apply((), jax.random.key(0), f, replay(q, samples)) for e in estimators]
            return jnp.stack([value for value, _ in told])

        return jax.jacfwd(surrogates)(0.3)

    grads = np.asarray(jax.jit(jax.vmap(one))(samples), np.float64)
    probs = stats.binom(num_samples, special.expit(0.3)).pmf(ones)
    mean = probs @ grads
    return np.abs(mean) / np.sqrt(probs @ (grads - mean) ** 2)


def test_its_signal_grows_with_samples_where_that_of_vimco_falls():
    """As K^1/2 and as K^-1/2: Liévin et al. (2020), section 3."""
    few, many = (ratios((ovis(k), ovis(k, gamma=1.0), vimco(k)), k) for k in (16, 128))
    np.testing.assert_allclose(np.log(many / few) / np.log(8), [0.5, 0.5, -0.5], atol=0.1)
    assert many[0] > 100 * many[2]


def test_one_weight_that_is_not_zero_is_told():
    def told(samples):
        q = distrax.Categorical(jnp.zeros(2))
        f = lambda z: jnp.where(z == 0, -jnp.inf, 0.5)  # noqa: E731
        return ovis(3).apply((), jax.random.key(0), f, replay(q, samples))

    values, estimates = jax.jit(jax.vmap(told))(jnp.array([[0, 0, 1], [0, 0, 0]]))
    np.testing.assert_allclose(values, [0.5 - np.log(3), -np.inf], rtol=1e-6)
    assert not estimates.all_finite.any()


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ({"num_samples": 1}, "num_samples: got 1, expected an integer >= 2"),
        ({"num_samples": 2, "gamma": 1.5}, r"gamma: got 1\.5, expected a number in \[0, 1\]"),
        ({"num_samples": 2, "bound": ELBO}, "bound: got elbo, expected iwae, or another gradient"),
    ],
)
def test_refusals(arguments, refusal):
    with pytest.raises(ValueError, match=refusal):
        ovis(**arguments)

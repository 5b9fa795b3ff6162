"""Every expectation of a network with three latents is a sum over eight states."""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from laws import assert_unbiased, rejected
from scipy.special import expit, logsumexp
from scipy.stats import bernoulli

from jaxgen.estimators import leave_one_out, score_function
from jaxgen.metrics import log_marginal
from jaxgen.models import LIKELIHOODS, belief_network
from jaxgen.nets import MLP

SHAPE = (2, 2, 1)
MEAN = np.array([0.2, 0.4, 0.6, 0.8], np.float32).reshape(SHAPE)
X = jnp.array([1.0, 0.0, 1.0, 1.0]).reshape(SHAPE)
STATES = np.array(list(itertools.product([0.0, 1.0], repeat=3)), np.float32)


def network(hidden=(), encoder_outputs=(3,)):
    return belief_network(
        MLP(hidden, encoder_outputs, lambda x: nn.leaky_relu(x, 0.3)),
        MLP(hidden, (*SHAPE, 1), lambda x: nn.leaky_relu(x, 0.3)),
        LIKELIHOODS["bernoulli"].distribution,
        latent_size=3,
        x_mean=jnp.asarray(MEAN),
    )


MODEL = network()
encode, decode, prior = (jax.jit(f) for f in (MODEL.encode, MODEL.decode, MODEL.prior))


@pytest.fixture(scope="module")
def params():
    """Away from the symmetric start: every number is some units from zero."""
    params, unravel = ravel_pytree(jax.jit(MODEL.init)(jax.random.key(0)))
    return unravel(params + jax.random.normal(jax.random.key(1), params.shape))


def log_joint(params, x, z):
    return MODEL.decode(params, z).log_prob(x) + MODEL.prior(params).log_prob(z)


@jax.jit
def log_joints(params, x):
    """Of every state of the latents."""
    return jax.vmap(lambda z: log_joint(params, x, z))(STATES)


def exact_elbo(params, x):
    """The sum over states, by the textbook's sigmoids."""
    q = jax.nn.sigmoid(MODEL.encode(params, x).distribution.logits)
    probs = jnp.prod(jnp.where(STATES == 1, q, 1 - q), axis=1)
    return jnp.sum(probs * (log_joints(params, x) - jnp.log(probs)))


def affine(params, x):
    kernel, bias = params["params"]["Dense_0"]["kernel"], params["params"]["output_bias"]
    return np.ravel(x) @ np.asarray(kernel) + np.ravel(bias)


@pytest.mark.exact_products
def test_the_linear_network_is_its_formula(params):
    q = expit(affine(params["encoder"], X - MEAN))
    np.testing.assert_allclose(encode(params, X).mean(), q, rtol=1e-5)
    on, x = expit(np.asarray(params["prior"])), np.ravel(X)
    for z, joint in zip(STATES, log_joints(params, X), strict=True):
        pixels = expit(affine(params["decoder"], z))
        expected = bernoulli.logpmf(x, pixels).sum() + bernoulli.logpmf(z, on).sum()
        np.testing.assert_allclose(joint, expected, rtol=1e-5)


def test_the_nonlinear_network_has_one_datapoint_shapes_and_float_samples():
    model = network((8, 8))

    @jax.jit
    def draw(key):
        key_params, key_z = jax.random.split(key)
        params = model.init(key_params)
        z = model.encode(params, X).sample(seed=key_z, sample_shape=(100,))
        return z, model.decode(params, z[0]).log_prob(X), model.prior(params).log_prob(z[0])

    z, log_likelihood, log_prior = draw(jax.random.key(0))
    assert z.shape == (100, 3)
    assert z.dtype == jnp.float32
    assert set(np.unique(z)) == {0.0, 1.0}
    assert log_likelihood.shape == ()
    np.testing.assert_allclose(log_prior, 3 * np.log(0.5), rtol=1e-6)


def test_relaxed_latents_have_a_finite_slope(params):
    q = encode(params, X)
    slope = jax.jit(jax.grad(lambda z: log_joint(params, X, z) - q.log_prob(z)))
    for z in ([0.3, 0.3, 0.3], [1e-6, 0.5, 1 - 1e-6]):
        assert np.isfinite(slope(jnp.array(z))).all()
    # The prior's and the posterior's terms are affine between the corners.
    for p in (q, prior(params)):
        weights = np.array([0.2, 0.3, 0.5], np.float32)
        corners = np.asarray(p.log_prob(jnp.eye(3)))
        np.testing.assert_allclose(p.log_prob(weights), weights @ corners, rtol=1e-5)


def test_bound_and_importance_sampled_likelihood_against_enumeration(params):
    log_px = logsumexp(log_joints(params, X))
    assert jax.jit(exact_elbo)(params, X) < log_px - 0.01

    @jax.jit
    def estimate(key):
        return log_marginal(
            key, lambda z: log_joint(params, X, z), MODEL.encode(params, X), 50_000, chunk_size=5000
        )

    np.testing.assert_allclose(estimate(jax.random.key(2)), log_px, atol=0.05)


def test_the_model_is_normalized(params):
    images = np.array(list(itertools.product([0.0, 1.0], repeat=4)), np.float32)
    joints = jax.vmap(log_joints, (None, 0))(params, images.reshape(-1, *SHAPE))
    np.testing.assert_allclose(np.exp(joints).sum(), 1.0, rtol=1e-5)


def test_gradient_estimates_have_the_enumerated_mean(params):
    """50,000 draws at a false-alarm rate of 1e-6 reject a generative gradient 5% too small."""
    rloo = score_function(2, baseline=leave_one_out())

    def surrogate(params, key, reached):
        q = MODEL.encode(params, X)

        def f(z):
            joint = log_joint(params, X, z)
            joint = jax.lax.stop_gradient((1 - reached) * joint) + reached * joint
            return joint - q.log_prob(z)

        return rloo.apply((), key, f, q)[0]

    @jax.jit
    def draws(reached):
        keys = jax.random.split(jax.random.key(3), 50_000)
        one = jax.value_and_grad(surrogate)
        values, grads = jax.vmap(one, (None, 0, None))(params, keys, reached)
        return values, jax.vmap(lambda g: ravel_pytree(g)[0])(grads)

    value, grad = jax.jit(jax.value_and_grad(exact_elbo))(params, X)
    truth, _ = ravel_pytree(grad)
    values, grads = draws(1.0)
    assert_unbiased(values, value)
    assert_unbiased(grads, truth)
    with rejected():
        assert_unbiased(draws(0.95)[1], truth)


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match=r"output of shape \(2,\), expected \(3,\)"):
        network(encoder_outputs=(2,)).init(jax.random.key(0))
    with pytest.raises(ValueError, match="latent_size: got 0, expected an integer >= 1"):
        belief_network(
            MLP((), (1,)),
            MLP((), (*SHAPE, 1)),
            LIKELIHOODS["bernoulli"].distribution,
            latent_size=0,
            x_mean=jnp.asarray(MEAN),
        )

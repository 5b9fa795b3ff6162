"""A learned quadratic, by quadrature: unbiased whatever it has learned, less noisy once it has."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from quadrature import Replay

from jaxgen.certify import exact_moments, normal_quadrature
from jaxgen.estimators import QuadraticState, learned_quadratic, pathwise, taylor

NOISE, PROBS = normal_quadrature(48, 1)
PARAMS = jnp.array([0.4, 0.6])  # mean and scale


def f(z):
    return jnp.cos(1.5 * z) + 0.5 * z**2


def exact(params):
    mean, scale = params
    return jnp.cos(1.5 * mean) * jnp.exp(-((1.5 * scale) ** 2) / 2) + (mean**2 + scale**2) / 2


def moments(estimator, state=()):
    """Of the gradient of E f in the mean and in the scale, of one draw."""

    def gradient(noise):
        def surrogate(params):
            return estimator.apply(state, jax.random.key(0), f, Replay(noise, *params))[0]

        return jax.grad(surrogate)(PARAMS)

    return exact_moments(gradient, NOISE, PROBS)


def learned():
    """500 steps down the loss, of 32 draws each."""
    estimator, q = learned_quadratic(32), distrax.Normal(*PARAMS)

    def step(state, key):
        grads = jax.grad(lambda s: estimator.apply(s, key, f, q)[1].control_loss)(state)
        return jax.tree.map(lambda x, g: x - 0.03 * g, state, grads), None

    start = estimator.init(jax.random.key(1), q)
    return jax.lax.scan(step, start, jax.random.split(jax.random.key(2), 500))[0]


def test_unbiased_whatever_is_learned_and_less_noisy_when_it_is():
    anything = QuadraticState(*map(jnp.asarray, ([1.0], [-2.0], [[0.5, 1.0]], [1.0, -3.0])))

    def found():
        ours = learned_quadratic(1)
        return (
            moments(ours, anything),
            moments(ours, learned()),
            moments(taylor(1)),
            moments(pathwise(1)),
        )

    of_anything, ours, expansion, plain = jax.tree.map(np.asarray, jax.jit(found)())
    truth = jax.grad(exact)(PARAMS)
    for each in (of_anything, ours, expansion, plain):
        np.testing.assert_allclose(each.mean, truth, atol=1e-4)
    assert ours.trace < 0.9 * plain.trace
    assert ours.trace < 0.5 * expansion.trace
    assert of_anything.trace > 2 * plain.trace


def test_with_the_curvature_of_a_quadratic_no_noise_is_left():
    """z^T C z / 2 for C = diag(1, -2) + u u^T."""
    u = jnp.array([0.5, -1.0])
    curvature = jnp.diag(jnp.array([1.0, -2.0])) + jnp.outer(u, u)
    mean, scale = jnp.array([0.3, -0.5]), jnp.array([0.7, 1.2])
    state = QuadraticState(curvature @ mean, jnp.array([1.0, -2.0]), u[:, None], jnp.ones(1))
    np.testing.assert_allclose(state.curvature(), curvature, rtol=1e-6)

    def surrogate(params, state):
        q = distrax.MultivariateNormalDiag(*params)
        return learned_quadratic(2).apply(
            state, jax.random.key(0), lambda z: z @ curvature @ z / 2, q
        )

    both = jax.jit(jax.value_and_grad(surrogate, has_aux=True))
    (value, estimate), grads = both((mean, scale), state)
    expected = (mean @ curvature @ mean + jnp.diag(curvature) @ scale**2) / 2
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    np.testing.assert_allclose(grads[0], curvature @ mean, rtol=1e-5)
    np.testing.assert_allclose(grads[1], jnp.diag(curvature) * scale, rtol=1e-5)
    both = sum(float(jnp.sum(g**2)) for g in grads)
    np.testing.assert_allclose(estimate.control_loss, both, rtol=1e-5)


def test_what_is_learned_has_no_gradient_but_in_the_state_and_the_empty_state_is_refused(key):
    q = distrax.Normal(*PARAMS)
    estimator = learned_quadratic(2)
    state = estimator.init(jax.random.key(1), q)

    def of(params, state):
        q = distrax.Normal(*params)
        value, estimate = estimator.apply(state, jax.random.key(0), f, q)
        return value, estimate.control_loss

    in_params, in_state = jax.jit(jax.jacobian(of, (0, 1)))(PARAMS, state)[1]
    np.testing.assert_array_equal(in_params, 0.0)
    assert np.abs(ravel_pytree(in_state)[0]).max() > 0
    np.testing.assert_array_equal(ravel_pytree(jax.grad(lambda s: of(PARAMS, s)[0])(state))[0], 0.0)
    with pytest.raises(ValueError, match=r"state: got \(\), expected what init"):
        estimator.apply((), key, f, q)
    with pytest.raises(ValueError, match="rank: got -1, expected an integer >= 0"):
        learned_quadratic(2, rank=-1)

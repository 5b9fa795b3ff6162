"""The pathwise gradient less a quadratic's, by quadrature: nothing here is statistical."""

from unittest import mock

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from quadrature import Replay

from jaxgen.certify import exact_moments, normal_quadrature
from jaxgen.estimators import count_evaluations, pathwise, taylor

NOISE, PROBS = normal_quadrature(64, 1)
PARAMS = {"mean": jnp.array([0.3, -0.5]), "factor": jnp.array([[0.7, 0.0], [0.4, 1.2]])}
CURVATURE = jnp.array([[1.0, 0.5], [0.5, -2.0]])


def test_a_quadratic_leaves_no_noise_whatever_the_covariance(key):
    """E f = (m^T C m + tr C L L^T) / 2 for q = N(m, L L^T), from any one draw."""

    def surrogate(params, key):
        q = distrax.MultivariateNormalTri(params["mean"], params["factor"])
        return taylor(1).apply((), key, lambda z: z @ CURVATURE @ z / 2, q)[0]

    def exact(params):
        m, factor = params["mean"], params["factor"]
        return (m @ CURVATURE @ m + jnp.trace(CURVATURE @ factor @ factor.T)) / 2

    found, expected = jax.jit(
        lambda key: [jax.value_and_grad(f)(PARAMS) for f in (lambda p: surrogate(p, key), exact)]
    )(key)
    lower = np.tril(np.ones((2, 2)))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5)
    np.testing.assert_allclose(found[1]["mean"], expected[1]["mean"], rtol=1e-5)
    of_factor = [grads["factor"] * lower for _, grads in (found, expected)]
    np.testing.assert_allclose(*of_factor, rtol=1e-5, atol=1e-6)


def moments(estimator, scale, with_q=False):
    """Of the gradient of E[w cos(1.5 z) (- log q)] in the mean, the scale and w, of one draw."""

    def gradient(noise):
        def surrogate(params):
            q = Replay(noise, *params[:2])
            f = lambda z: params[2] * jnp.cos(1.5 * z)  # noqa: E731
            g = lambda z, q=q: f(z) - q.log_prob(z)  # noqa: E731
            return estimator.apply((), jax.random.key(0), g if with_q else f, q)[0]

        return ravel_pytree(jax.grad(surrogate)((0.4, scale, 2.0)))[0]

    return exact_moments(gradient, NOISE, PROBS)


def exact(scale, entropy=0.0):
    of = lambda m, s, w: w * jnp.cos(1.5 * m) * jnp.exp(-((1.5 * s) ** 2) / 2)  # noqa: E731
    return jnp.stack(jax.grad(of, (0, 1, 2))(0.4, scale, 2.0)) + jnp.array([0, entropy, 0])


def test_unbiased_and_of_less_noise_where_q_is_narrow():
    def found():
        narrow, wide = (
            (moments(taylor(1), s), moments(pathwise(1), s), exact(s)) for s in (0.2, 1.5)
        )
        with mock.patch(
            "jaxgen.estimators.control_variates.quadratic.moments",
            lambda q: (q.mean()[None], jnp.eye(1)),
        ):
            broken = moments(taylor(1), 0.2)
        return narrow, wide, (moments(taylor(1), 0.2, with_q=True), exact(0.2, 1 / 0.2)), broken

    narrow, wide, of_elbo, broken = jax.tree.map(np.asarray, jax.jit(found)())
    for ours, theirs, truth in (narrow, wide):
        np.testing.assert_allclose(ours.mean, truth, atol=1e-4)
        np.testing.assert_allclose(theirs.mean, truth, atol=1e-4)
    assert (narrow[0].variance[:2] < narrow[1].variance[:2] / 10).all()
    assert (wide[0].variance[:2] > wide[1].variance[:2]).all()
    np.testing.assert_allclose(of_elbo[0].mean, of_elbo[1], atol=1e-4)
    assert np.abs(broken.mean - narrow[2]).max() > 0.1


def test_what_it_says_of_itself_and_refuses(key):
    q = distrax.MultivariateNormalDiag(jnp.zeros(3), jnp.ones(3))
    assert count_evaluations(taylor(4), q) == 4 + 1 + 3
    flow = distrax.Transformed(distrax.Normal(0.0, 1.0), distrax.Tanh())
    with pytest.raises(ValueError, match="q: got Transformed, expected a distribution with a mean"):
        jax.eval_shape(lambda: taylor().apply((), key, jnp.sin, flow))

    def surrogate(mean, f=jnp.square):
        return taylor().apply((), jax.random.key(0), f, distrax.Normal(mean, 1.0))

    _, at_a_pole = jax.jit(lambda: surrogate(0.0, jnp.log))()
    assert not at_a_pole.all_finite
    second = jax.jit(jax.grad(jax.grad(lambda mean: surrogate(mean)[0])))
    np.testing.assert_allclose(second(0.3), 2.0, rtol=1e-5)

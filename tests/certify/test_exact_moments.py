"""Exact moments of gradients, by enumeration and by quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import problems
from scipy import stats

from jaxgen.certify import exact_moments, grad_moments, normal_quadrature, replay, sample_space
from jaxgen.estimators import score_function

THRESHOLD = stats.norm.isf(1e-6 / 2)  # one comparison, one false alarm in a million runs


def test_exact_moments_by_enumeration_agree_with_sampling(key):
    problem = problems.toy(0.2)
    estimator = score_function(3)

    def gradient(samples):
        def loss(logit):
            f = lambda z: problem.f(logit, z)  # noqa: E731
            q = replay(problem.q(logit), samples)
            return estimator.apply((), jax.random.key(0), f, q)[0]

        return jax.grad(loss)(problem.params)

    samples, weights = sample_space(problem.q(problem.params), 3)
    assert samples.shape == (8, 3)
    np.testing.assert_allclose(weights.sum(), 1.0, rtol=1e-6)
    exact = exact_moments(gradient, samples, weights)
    draw = lambda key: problems.gradient(estimator, problem)(key)[0]  # noqa: E731
    sampled = jax.jit(lambda key: grad_moments(draw, key, 50_000, 1000))(key)
    np.testing.assert_allclose(exact.mean, problem.gradient()[0], rtol=1e-5)
    assert abs(sampled.variance - exact.variance) < THRESHOLD * sampled.variance_stderr
    np.testing.assert_allclose(exact.trace, exact.variance, rtol=1e-6)


def test_normal_quadrature_is_exact_for_polynomials():
    noise, weights = normal_quadrature(5, 2)
    assert noise.shape == (25, 2)
    moment = jnp.sum(weights * noise[:, 0] ** 4 * noise[:, 1] ** 2)
    np.testing.assert_allclose([weights.sum(), moment], [1.0, 3.0], rtol=1e-5)


def test_exact_moments_of_half_precision_are_in_float32():
    moments = exact_moments(
        lambda x: x.astype(jnp.float16), jnp.array([300.0, 301.0]), jnp.array([0.5, 0.5])
    )
    assert moments.mean.dtype == moments.variance.dtype == jnp.float32
    np.testing.assert_allclose(moments.mean, 300.5)  # 300.5 squared is beyond float16
    np.testing.assert_allclose(moments.variance, 0.25)
    np.testing.assert_allclose(moments.snr, 601.0)

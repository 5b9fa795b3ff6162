"""The Kalman filter in JAX against NumPy's, and against the joint Gaussian."""

import jax
import jax.numpy as jnp
import numpy as np
from kalman import example
from scipy import stats

from jaxgen.models import kalman_filter

MODEL = example()
TIME, LENGTH = 6, 4
XS = MODEL.sample(np.random.default_rng(0), TIME)
ARGUMENTS = {name: jnp.asarray(value, jnp.float32) for name, value in MODEL._asdict().items()}


@jax.jit
def log_likelihood(xs, mask, arguments):
    result = kalman_filter(xs, mask=mask, **arguments)
    return result.log_likelihood, result


def test_it_is_exact():
    terms, means, covs = MODEL.filter(XS)
    result = kalman_filter(jnp.asarray(XS, jnp.float32), **ARGUMENTS)
    np.testing.assert_allclose(result.log_increments, terms, rtol=1e-5)
    np.testing.assert_allclose(result.means, means, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.covs, covs, rtol=1e-4, atol=1e-5)
    joint = stats.multivariate_normal(*MODEL.joint(TIME)).logpdf(XS.ravel())
    np.testing.assert_allclose(result.log_likelihood, joint, rtol=1e-5)


def test_a_masked_end_changes_nothing_whatever_it_holds():
    mask = jnp.arange(TIME) < LENGTH
    xs = jnp.where(mask[:, None], jnp.asarray(XS, jnp.float32), jnp.nan)
    gradient, result = jax.grad(log_likelihood, argnums=2, has_aux=True)(xs, mask, ARGUMENTS)
    terms, means, _ = MODEL.filter(XS[:LENGTH])
    np.testing.assert_allclose(result.log_likelihood, terms.sum(), rtol=1e-5)
    np.testing.assert_allclose(result.log_increments[LENGTH:], 0.0)
    np.testing.assert_allclose(result.means[LENGTH:], [means[-1]] * 2, rtol=1e-4)
    expected = jax.grad(log_likelihood, argnums=2, has_aux=True)(
        jnp.asarray(XS[:LENGTH], jnp.float32), mask[:LENGTH], ARGUMENTS
    )[0]
    for name, value in gradient.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)

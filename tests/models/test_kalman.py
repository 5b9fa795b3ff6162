"""The Kalman filter in JAX against NumPy's, and against the joint Gaussian."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from kalman import example
from laws import assert_unbiased
from scipy import stats

from jaxgen.models import kalman_filter, linear_gaussian, linear_gaussian_sequence

MODEL = example()
TIME, LENGTH = 6, 4
XS = MODEL.sample(np.random.default_rng(0), TIME)


def log_scale(cov):
    return jnp.asarray(0.5 * np.log(np.diag(cov)), jnp.float32)


PARAMS = {
    "initial_mean": jnp.asarray(MODEL.mean, jnp.float32),
    "initial_log_scale": log_scale(MODEL.cov),
    "transition": jnp.asarray(MODEL.transition, jnp.float32),
    "transition_log_scale": log_scale(MODEL.transition_cov),
    "emission": jnp.asarray(MODEL.emission, jnp.float32),
    "emission_log_scale": log_scale(MODEL.emission_cov),
}
JOINT = stats.multivariate_normal(*MODEL.joint(TIME))


@jax.jit
def log_likelihood(xs, mask, params):
    result = kalman_filter(params, xs, mask=mask)
    return result.log_likelihood, result


def test_the_kalman_filter_is_exact():
    terms, means, covs = MODEL.filter(XS)
    result = kalman_filter(PARAMS, jnp.asarray(XS, jnp.float32))
    np.testing.assert_allclose(result.log_increments, terms, rtol=1e-5)
    np.testing.assert_allclose(result.means, means, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.covs, covs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.log_likelihood, JOINT.logpdf(XS.ravel()), rtol=1e-5)


def test_a_masked_end_changes_nothing_whatever_it_holds():
    mask = jnp.arange(TIME) < LENGTH
    xs = jnp.where(mask[:, None], jnp.asarray(XS, jnp.float32), jnp.nan)
    gradient, result = jax.grad(log_likelihood, argnums=2, has_aux=True)(xs, mask, PARAMS)
    terms, means, _ = MODEL.filter(XS[:LENGTH])
    np.testing.assert_allclose(result.log_likelihood, terms.sum(), rtol=1e-5)
    np.testing.assert_allclose(result.log_increments[LENGTH:], 0.0)
    np.testing.assert_allclose(result.means[LENGTH:], [means[-1]] * 2, rtol=1e-4)
    expected = jax.grad(log_likelihood, argnums=2, has_aux=True)(
        jnp.asarray(XS[:LENGTH], jnp.float32), mask[:LENGTH], PARAMS
    )[0]
    for name, value in gradient.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_the_params_are_linear_gaussians_own():
    params = linear_gaussian(latent_size=2, x_size=3).init(jax.random.key(0))
    assert np.isfinite(kalman_filter(params, jnp.ones((4, 3))).log_likelihood)


def test_float32_data_under_x64(x64):
    """The carry of the scan had two types."""
    params = {name: np.asarray(value) for name, value in PARAMS.items()}
    result = kalman_filter(jax.tree.map(jnp.asarray, params), jnp.asarray(XS, jnp.float32))
    np.testing.assert_allclose(result.log_likelihood, JOINT.logpdf(XS.ravel()), rtol=1e-5)


def test_the_density_of_a_sequence_scores_and_draws_it():
    p = linear_gaussian_sequence(2, 2, TIME)
    assert set(p.init(jax.random.key(0), ())) == set(PARAMS)
    xs, log_probs = jax.jit(
        lambda key: p.distribution(PARAMS, ()).sample_and_log_prob(seed=key, sample_shape=20_000)
    )(jax.random.key(1))
    assert xs.shape == (20_000, TIME, 2)
    flat = np.asarray(xs, np.float64).reshape(len(xs), -1)
    np.testing.assert_allclose(log_probs, JOINT.logpdf(flat), rtol=1e-4, atol=1e-3)
    assert_unbiased(flat, MODEL.joint(TIME)[0])


@pytest.mark.parametrize("shape", [(6,), (6, 1), (2, 6, 2)])
def test_the_kalman_filter_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"xs: got shape .*, expected \(time, 2\)"):
        kalman_filter(PARAMS, jnp.zeros(shape))
    with pytest.raises(ValueError, match=r"mask: got shape \(5,\), expected \(6,\)"):
        kalman_filter(PARAMS, jnp.zeros((6, 2)), mask=jnp.ones(5, bool))
    with pytest.raises(ValueError, match=r"value: got shape"):
        linear_gaussian_sequence(2, 2, 5).distribution(PARAMS, ()).log_prob(jnp.zeros((6, 2)))

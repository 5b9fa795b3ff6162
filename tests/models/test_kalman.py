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


GAPS = np.array([[1, 1], [0, 0], [1, 0], [0, 1], [1, 1], [0, 0]], bool)


@pytest.mark.parametrize("seen", [GAPS, GAPS.any(axis=1)], ids=["numbers", "steps"])
def test_what_was_not_observed_is_integrated_out(seen):
    """Time goes on: the likelihood is the joint Gaussian's of what was observed."""
    held = np.broadcast_to(seen.reshape(TIME, -1), (TIME, 2))
    xs = jnp.where(held, jnp.asarray(XS, jnp.float32), jnp.nan)

    @jax.jit
    def both(params):
        return kalman_filter(params, xs, observed=seen).log_likelihood

    value, gradient = jax.value_and_grad(both)(PARAMS)
    kept = held.ravel()
    exact = stats.multivariate_normal(JOINT.mean[kept], JOINT.cov[np.ix_(kept, kept)])
    np.testing.assert_allclose(value, exact.logpdf(XS.ravel()[kept]), rtol=1e-5)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    still = kalman_filter(PARAMS, xs, mask=jnp.asarray(held.any(axis=1)), observed=held)
    assert abs(still.log_likelihood - value) > 0.01  # a mask lets time stand still there


def test_array_likes_of_any_floating_type_are_accepted():
    lists = jax.tree.map(lambda leaf: np.asarray(leaf).tolist(), PARAMS)
    expected = kalman_filter(PARAMS, jnp.asarray(XS, jnp.float32)).log_likelihood
    for xs in (XS.tolist(), XS.astype(np.float32)):
        np.testing.assert_allclose(kalman_filter(lists, xs).log_likelihood, expected, rtol=1e-6)
    half = kalman_filter(PARAMS, jnp.asarray(XS, jnp.bfloat16))
    assert half.log_likelihood.dtype == jnp.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transition": jnp.eye(3)}, r"params\['transition'\]: got shape \(3, 3\), expected"),
        ({"initial_mean": jnp.zeros(3)}, r"params\['initial_mean'\]: got shape \(3,\), expected"),
        ({"emission": jnp.zeros(2)}, r"params: got an emission of shape \(2,\)"),
        (None, r"params: got \['initial_mean'\], expected those of linear_gaussian"),
    ],
)
def test_params_of_other_shapes_are_refused(change, message):
    params = {"initial_mean": jnp.zeros(2)} if change is None else PARAMS | change
    with pytest.raises(ValueError, match=message):
        kalman_filter(params, jnp.zeros((TIME, 2)))


def test_observed_of_another_shape_is_refused():
    with pytest.raises(
        ValueError, match=r"observed: got shape \(3,\), expected \(6,\) or \(6, 2\)"
    ):
        kalman_filter(PARAMS, jnp.zeros((TIME, 2)), observed=jnp.ones(3, bool))

"""Factor analysis and probabilistic PCA against scikit-learn, scipy and Bishop's closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn import decomposition

from jaxgen.inference import em
from jaxgen.models import (
    FactorModel,
    FactorPosterior,
    factor_elbo,
    factor_posterior,
    factor_steps,
    independent,
    isotropic,
)


def sample(count=300, dims=6, factors=2):
    rng = np.random.default_rng(5)
    loadings = rng.normal(size=(dims, factors)) * 1.5
    noise = rng.normal(size=(count, dims)) * rng.uniform(0.4, 1.2, size=dims)
    return rng.normal(size=(count, factors)) @ loadings.T + rng.normal(size=dims) + noise


def model(dims=6, factors=2):
    rng = np.random.default_rng(9)
    return FactorModel(
        jnp.asarray(rng.normal(size=(dims, factors))),
        jnp.asarray(rng.normal(size=dims)),
        jnp.asarray(rng.uniform(0.3, 2.0, size=dims)),
    )


def covariance(model):
    loadings = np.asarray(model.loadings)
    return loadings @ loadings.T + np.diag(model.noise_variance)


def log_marginal(model, xs):
    return stats.multivariate_normal(np.asarray(model.mean), covariance(model)).logpdf(xs)


def test_the_bound_is_the_marginal_at_the_posterior_and_below_it_by_the_kl(x64):
    x = jnp.asarray(sample(1)[0])
    q = factor_posterior(model(), x)
    log_px = log_marginal(model(), x)
    assert float(factor_elbo(model(), q, x)) == pytest.approx(log_px, abs=1e-10)
    other = FactorPosterior(q.mean + jnp.array([0.3, -0.2]), q.covariance * 1.7)
    shift = np.asarray(other.mean - q.mean)
    kl = 0.5 * (
        2 * 1.7 - 2 + shift @ np.linalg.inv(np.asarray(q.covariance)) @ shift - 2 * np.log(1.7)
    )
    assert float(factor_elbo(model(), other, x)) == pytest.approx(log_px - kl, abs=1e-10)


def test_the_posterior_is_the_conditional_of_the_joint_gaussian(x64):
    x, m = np.asarray(sample(1)[0]), model()
    gain = np.asarray(m.loadings).T @ np.linalg.inv(covariance(m))
    q = factor_posterior(m, jnp.asarray(x))
    np.testing.assert_allclose(q.mean, gain @ (x - np.asarray(m.mean)), rtol=1e-10)
    np.testing.assert_allclose(q.covariance, np.eye(2) - gain @ m.loadings, rtol=1e-9)


def run(xs, start, num_steps, *noise):
    return jax.jit(lambda s: em(factor_steps(jnp.asarray(xs), *noise), s, num_steps))(start)


def test_equals_scikit_learns_factor_analysis(x64):
    """From the same start: noise one, and the loadings that are best for it."""
    xs = sample()
    values, vectors = np.linalg.eigh(np.cov(xs.T, bias=True))
    loadings = vectors[:, -2:] * np.sqrt(values[-2:] - 1)
    start = FactorModel(jnp.asarray(loadings), jnp.asarray(xs.mean(axis=0)), jnp.ones(6))
    ours = run(xs, start, 3000)
    theirs = decomposition.FactorAnalysis(
        2, tol=1e-14, max_iter=20_000, noise_variance_init=np.ones(6), svd_method="lapack"
    ).fit(xs)
    np.testing.assert_allclose(covariance(ours.params), theirs.get_covariance(), atol=1e-5)
    np.testing.assert_allclose(ours.params.noise_variance, theirs.noise_variance_, atol=1e-5)
    np.testing.assert_allclose(ours.params.mean, theirs.mean_, atol=1e-10)
    assert float(ours.after_e_step[-1]) == pytest.approx(theirs.score(xs), abs=1e-9)


def test_isotropic_noise_gives_principal_components(x64):
    xs = sample()
    ours = run(xs, model(), 1000, isotropic)
    theirs = decomposition.PCA(2, svd_solver="full").fit(xs)
    # scikit-learn's PCA divides by n - 1; the maximum of the likelihood, by n.
    values, vectors = np.linalg.eigh(np.cov(xs.T, bias=True))
    noise = values[:-2].mean()
    np.testing.assert_allclose(ours.params.noise_variance, np.full(6, noise), rtol=1e-8)
    best = (vectors[:, -2:] * (values[-2:] - noise)) @ vectors[:, -2:].T + noise * np.eye(6)
    np.testing.assert_allclose(covariance(ours.params), best, atol=1e-7)
    n = len(xs)
    np.testing.assert_allclose(covariance(ours.params), theirs.get_covariance() * (n - 1) / n)
    assert float(ours.after_e_step[-1]) == pytest.approx(log_marginal(ours.params, xs).mean())


def test_the_mean_is_learned_from_anywhere(x64):
    xs = sample()
    result = run(xs, model()._replace(mean=jnp.full(6, 10.0)), 1000)
    np.testing.assert_allclose(result.params.mean, xs.mean(axis=0), atol=1e-6)


def test_a_constant_dimension_needs_the_floor():
    xs = jnp.asarray(np.c_[sample(), np.zeros(300)], jnp.float32)
    start = FactorModel(jnp.ones((7, 1)), jnp.zeros(7), jnp.ones(7))
    assert not bool(em(factor_steps(xs), start, 200).all_finite)
    held = em(factor_steps(xs, min_variance=1e-3), start, 200)
    assert bool(held.all_finite)
    assert float(held.params.noise_variance.min()) == pytest.approx(1e-3)


def test_the_floor_is_on_the_mean_of_the_noise():
    xs = jnp.array([[1.0, 3.0], [-1.0, -3.0]])  # residuals 1 and 9
    q = FactorPosterior(jnp.zeros((2, 1)), jnp.eye(1))
    noise = factor_steps(xs, isotropic, min_variance=4.0).m_step(q).noise_variance
    np.testing.assert_allclose(noise, 5.0)  # not (4 + 9) / 2


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"xs: got shape \(0, 3\), expected at least one"):
        factor_steps(jnp.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"min_variance: got -0.1, expected a number >= 0"):
        factor_steps(jnp.zeros((2, 3)), min_variance=-0.1)


SEEN = np.random.default_rng(1).random((300, 6)) < 0.7
SEEN[0], SEEN[1] = False, True  # nothing of one datapoint, all of another


def test_what_was_not_observed_has_no_part(x64):
    """The likelihood and the posterior are the direct Gaussian's of what was, whatever is there."""
    m, xs = model(), sample()
    held = jnp.asarray(np.where(SEEN, xs, np.nan))

    @jax.jit
    @jax.vmap
    def numbers(x, seen):
        q = factor_posterior(m, x, observed=seen)
        return q, jax.value_and_grad(lambda m: factor_elbo(m, q, x, observed=seen))(m)

    q, (log_px, gradient) = numbers(held[:20], jnp.asarray(SEEN[:20]))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    for i, seen in enumerate(SEEN[:20]):
        of_seen = covariance(m)[np.ix_(seen, seen)]
        centered = xs[i, seen] - np.asarray(m.mean)[seen]
        if seen.any():
            expected = stats.multivariate_normal(cov=of_seen).logpdf(centered)
            assert log_px[i] == pytest.approx(expected, abs=1e-10)
        gain = np.asarray(m.loadings)[seen].T @ np.linalg.inv(of_seen)
        np.testing.assert_allclose(q.mean[i], gain @ centered, atol=1e-10)
        posterior = np.eye(2) - gain @ np.asarray(m.loadings)[seen]
        np.testing.assert_allclose(q.covariance[i], posterior, atol=1e-10)
    assert log_px[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("noise", [independent, isotropic])
def test_em_climbs_the_likelihood_of_what_was_observed(noise, x64):
    """An M-step is where the bound has no slope: a mean of dimensions seen unequally often is
    weighted by how often (the plain mean leaves a slope)."""
    seen = SEEN & (np.arange(6) > 0) | (np.arange(300)[:, None] % 5 == 0)
    xs = jnp.asarray(np.where(seen, sample(), np.nan))

    @jax.jit
    def numbers(start):
        steps = factor_steps(xs, noise, observed=jnp.asarray(seen))
        q = steps.e_step(start)
        best = steps.m_step(q)
        result = em(steps, start, 20)
        return best, jax.grad(steps.elbo)(best, q), result.after_m_step, result.all_finite

    best, slope, bounds, finite = numbers(model())
    of_noise = slope.noise_variance if noise is independent else slope.noise_variance.sum()
    for leaf in (slope.loadings, slope.mean, of_noise):
        np.testing.assert_allclose(leaf, 0, atol=1e-10)
    assert finite
    assert np.all(np.diff(bounds) >= -1e-9)
    if noise is isotropic:
        assert np.ptp(best.noise_variance) == 0


def test_all_that_is_observed_is_everything(x64):
    """The two M-steps agree; so do their bounds."""
    xs = jnp.asarray(sample())
    whole, gaps = factor_steps(xs), factor_steps(xs, observed=np.ones(xs.shape, bool))
    fitted = jax.jit(lambda m: [s.m_step(s.e_step(m)) for s in (whole, gaps)])(model())
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-8), *fitted)


@pytest.mark.parametrize(
    ("observed", "message"),
    [
        (np.ones(6, bool), r"observed: got shape \(6,\), expected \(300, 6\)"),
        (np.ones((300, 6), bool) & (np.arange(6) != 2), "observed: got nothing of dimension 2"),
    ],
)
def test_malformed_observed_is_refused(observed, message):
    with pytest.raises(ValueError, match=message):
        factor_steps(jnp.asarray(sample(), jnp.float32), observed=observed)

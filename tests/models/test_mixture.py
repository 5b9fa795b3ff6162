"""Mixtures of Gaussians against scikit-learn, scipy and enumeration."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn.mixture import GaussianMixture

from jaxgen.inference import em
from jaxgen.models import (
    DiagonalGaussian,
    FullGaussian,
    Mixture,
    diagonal_gaussian,
    fit_mixture,
    full_gaussian,
    mixture_elbo,
    mixture_log_joint,
    mixture_steps,
)

MEANS = np.array([[0.0, 1.0], [2.0, -1.0], [-2.0, 0.5]])
COVARIANCES = np.array(
    [[[1.0, 0.6], [0.6, 0.8]], [[0.4, 0.0], [0.0, 1.5]], [[0.7, -0.5], [-0.5, 0.9]]]
)
WEIGHTS = np.array([0.5, 0.2, 0.3])


def sample(count=400):
    rng = np.random.default_rng(11)
    ks = rng.choice(3, size=count, p=WEIGHTS)
    return np.stack([rng.multivariate_normal(MEANS[k], COVARIANCES[k]) for k in ks])


def truth():
    components = FullGaussian(jnp.asarray(MEANS), jnp.asarray(COVARIANCES))
    return Mixture(jnp.log(jnp.asarray(WEIGHTS)), components)


def sklearn_fit(xs, kind, start, num_steps):
    """scikit-learn's EM, unregularized, for as many steps from the same start."""
    if kind == "full":
        precisions = np.linalg.inv(np.asarray(start.components.covariance))
    else:
        precisions = 1 / np.asarray(start.components.variance)
    model = GaussianMixture(
        len(start.log_weights),
        covariance_type=kind,
        tol=0.0,
        reg_covar=0.0,
        max_iter=num_steps,
        weights_init=np.exp(np.asarray(start.log_weights)),
        means_init=np.asarray(start.components.mean),
        precisions_init=precisions,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zero tolerance never counts as converged
        return model.fit(xs)


@pytest.mark.parametrize(("kind", "family"), [("full", full_gaussian), ("diag", diagonal_gaussian)])
def test_equals_scikit_learn_from_the_same_start(kind, family, x64):
    xs = sample()
    labels = np.random.default_rng(0).integers(3, size=len(xs))
    start = fit_mixture(family(), jax.nn.one_hot(labels, 3), jnp.asarray(xs))
    ours = jax.jit(lambda s: em(mixture_steps(family(), jnp.asarray(xs)), s, 500))(start)
    theirs = sklearn_fit(xs, kind, start, 500)
    np.testing.assert_allclose(ours.after_e_step, theirs.lower_bounds_, atol=1e-9)
    np.testing.assert_allclose(np.exp(ours.params.log_weights), theirs.weights_, atol=1e-7)
    np.testing.assert_allclose(ours.params.components.mean, theirs.means_, atol=1e-6)
    np.testing.assert_allclose(ours.params.components[1], theirs.covariances_, atol=1e-6)
    assert ours.after_m_step[-1] <= theirs.score(xs) + 1e-12


def test_log_joint_is_scipys(x64):
    x = jnp.array([0.3, -0.2])
    expected = [
        np.log(w) + stats.multivariate_normal(m, c).logpdf(x)
        for w, m, c in zip(WEIGHTS, MEANS, COVARIANCES, strict=True)
    ]
    np.testing.assert_allclose(mixture_log_joint(full_gaussian(), truth(), x), expected, rtol=1e-12)
    diagonals = np.diagonal(COVARIANCES, axis1=1, axis2=2)
    mixture = Mixture(
        truth().log_weights, DiagonalGaussian(jnp.asarray(MEANS), jnp.asarray(diagonals))
    )
    expected = np.log(WEIGHTS) + stats.norm(MEANS, np.sqrt(diagonals)).logpdf(x).sum(axis=1)
    np.testing.assert_allclose(
        mixture_log_joint(diagonal_gaussian(), mixture, x), expected, rtol=1e-12
    )


def test_the_bound_is_tight_at_the_posterior_and_below_elsewhere_by_the_kl(x64):
    family, x = full_gaussian(), jnp.array([0.3, -0.2])
    log_joint = mixture_log_joint(family, truth(), x)
    log_px = jax.nn.logsumexp(log_joint)
    posterior = np.asarray(jax.nn.softmax(log_joint))
    assert mixture_elbo(family, truth(), jnp.asarray(posterior), x) == pytest.approx(float(log_px))
    for q in (np.array([0.2, 0.3, 0.5]), np.array([1.0, 0.0, 0.0])):
        kl = stats.entropy(q, posterior)
        bound = mixture_elbo(family, truth(), jnp.asarray(q), x)
        assert float(bound) == pytest.approx(float(log_px) - kl, abs=1e-12)


def test_a_component_without_datapoints_stays_finite(x64):
    xs = jnp.asarray(sample(50))
    q = jnp.stack([jnp.ones(50), jnp.zeros(50)], axis=1)
    mixture = fit_mixture(full_gaussian(), q, xs)
    np.testing.assert_array_equal(np.exp(mixture.log_weights), [1, 0])
    np.testing.assert_allclose(mixture.components.covariance[1], np.cov(xs.T, bias=True))
    result = em(mixture_steps(full_gaussian(), xs), mixture, 3)
    assert np.isfinite(result.after_m_step).all()
    assert bool(result.all_finite)  # the log weight -inf is that of a weight of zero, no fault


def test_the_floor_is_the_constrained_maximum(x64):
    """No covariance whose eigenvalues are at least the floor has a higher likelihood."""
    xs = sample(30) * [0.1, 1.0]
    floor = 0.2
    family = full_gaussian(floor)
    fitted = family.fit(jnp.asarray(xs), jnp.full(30, 1 / 30))
    values, vectors = np.linalg.eigh(fitted.covariance)
    assert values.min() == pytest.approx(floor)

    def likelihood(covariance):
        return stats.multivariate_normal(np.asarray(fitted.mean), covariance).logpdf(xs).mean()

    best = likelihood(np.asarray(fitted.covariance))
    rng = np.random.default_rng(0)
    for _ in range(300):
        turned = np.linalg.qr(vectors + 0.3 * rng.normal(size=(2, 2)))[0]
        other = np.maximum(values * np.exp(0.3 * rng.normal(size=2)), floor)
        assert likelihood((turned * other) @ turned.T) <= best


def test_a_collapse_shows_and_the_floor_prevents_it():
    xs = jnp.concatenate([jnp.asarray(sample(40), jnp.float32), jnp.full((1, 2), 30.0)])
    q = jnp.zeros((41, 2)).at[:40, 0].set(1.0).at[40, 1].set(1.0)  # one datapoint on its own
    for family, finite in ((diagonal_gaussian(), False), (diagonal_gaussian(1e-2), True)):
        result = em(mixture_steps(family, xs), fit_mixture(family, q, xs), 2)
        assert bool(result.all_finite) == finite


@pytest.mark.parametrize("family", [full_gaussian, diagonal_gaussian])
def test_bad_input_is_named(family):
    with pytest.raises(ValueError, match=r"min_variance: got -1.0, expected a number >= 0"):
        family(-1.0)
    with pytest.raises(ValueError, match=r"xs: got shape \(0, 2\), expected at least one"):
        mixture_steps(family(), jnp.zeros((0, 2)))
    with pytest.raises(ValueError, match=r"q: got shape \(4, 2\), expected \(5, components\)"):
        fit_mixture(family(), jnp.ones((4, 2)), jnp.zeros((5, 2)))


def test_equal_families_are_equal_values_and_shown_as_their_call():
    assert full_gaussian(1e-3) == full_gaussian(1e-3) != full_gaussian()
    assert repr(diagonal_gaussian(0.1)) == "diagonal_gaussian(0.1)"

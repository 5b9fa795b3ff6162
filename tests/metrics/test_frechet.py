"""The Fréchet distance against scipy's matrix root, closed forms and its own bias."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_biased, assert_unbiased, rejected
from scipy import linalg

from jaxgen.metrics import (
    GaussianMoments,
    frechet_distance,
    gaussian_frechet_distance,
    gaussian_moments,
)

RNG = np.random.default_rng(0)
distance = jax.jit(lambda xs, ys: frechet_distance(xs, ys).value)


def by_scipy(xs, ys):
    """From the definition, in float64."""
    xs, ys = np.asarray(xs, np.float64), np.asarray(ys, np.float64)
    p, q = np.cov(xs.T), np.cov(ys.T)
    root = linalg.sqrtm(p @ q).real
    return np.sum((xs.mean(0) - ys.mean(0)) ** 2) + np.trace(p + q - 2 * root)


def features(n, dims, rank=None):
    """Correlated, with scales from 1 to 1/100, away from zero."""
    mixing = RNG.normal(size=(rank or dims, dims)) * np.geomspace(1, 0.01, rank or dims)[:, None]
    return (RNG.normal(size=(n, rank or dims)) @ mixing + 3 * RNG.normal(size=dims)).astype("f4")


@pytest.mark.parametrize(
    ("n", "m", "rank"), [(500, 300, None), (500, 300, 5), (20, 30, None), (20, 500, 7)]
)
def test_against_the_matrix_root_of_scipy(n, m, rank):
    """With covariances of full rank, of low rank, and with fewer samples than dimensions."""
    xs, ys = features(n, 40, rank), features(m, 40)
    expected, spread = by_scipy(xs, ys), xs.var(0).sum() + ys.var(0).sum()
    np.testing.assert_allclose(distance(xs, ys), expected, rtol=2e-6, atol=1e-5 * spread)


@pytest.mark.parametrize("least", [0.0, 1e-10])
def test_moments_from_elsewhere_may_have_any_rank(least):
    """By the factor that the class names; a Cholesky factor is NaN there."""
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    covariances = [basis * [1.0, 0.5, *[least] * 4] @ basis.T, np.diag([*[least] * 4, 2.0, 1.0])]
    means = rng.normal(size=(2, 6))

    def moments(mean, covariance):
        values, vectors = np.linalg.eigh(covariance)
        factor = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
        return GaussianMoments(*(jnp.asarray(x, jnp.float32) for x in (mean, factor)))

    came = gaussian_frechet_distance(*map(moments, means, covariances)).value
    squares = np.linalg.eigvals(covariances[0] @ covariances[1]).real
    overlap = np.sum(np.sqrt(np.maximum(squares, 0)))
    expected = np.sum((means[0] - means[1]) ** 2) + np.trace(sum(covariances)) - 2 * overlap
    assert float(came) == pytest.approx(expected, rel=1e-4)
    assert np.isnan(jnp.linalg.cholesky(jnp.asarray(covariances[0], jnp.float32))).any()


@pytest.mark.parametrize("rank", [None, 5])
def test_nothing_lies_between_a_set_and_itself(rank):
    xs = features(300, 40, rank)
    moments = gaussian_moments(jnp.asarray(xs))
    assert 0 <= gaussian_frechet_distance(moments, moments).value < 2e-6 * xs.var(0).sum()
    shuffled = distance(xs, RNG.permutation(xs))
    assert 0 <= shuffled < 5e-6 * (xs.var(0).sum() + np.sum(xs.mean(0) ** 2))


def test_gaussians_whose_covariances_commute():
    """Then the root is that of each eigenvalue: |m - m'|² + sum_i (s_i - s'_i)²."""
    turn = linalg.qr(RNG.normal(size=(6, 6)))[0]
    means, scales = RNG.normal(size=(2, 6)), np.array([[3, 2, 1, 0.5, 0, 0], [1, 2, 3, 0, 0.5, 0]])
    p, q = (
        GaussianMoments(jnp.asarray(mean, jnp.float32), jnp.asarray(s[:, None] * turn, jnp.float32))
        for mean, s in zip(means, scales, strict=True)
    )
    expected = np.sum(np.diff(means, axis=0) ** 2) + np.sum(np.diff(scales, axis=0) ** 2)
    found = gaussian_frechet_distance(p, q)
    np.testing.assert_allclose(found.value, expected, rtol=1e-5)
    np.testing.assert_allclose(found.of_means, np.sum(np.diff(means, axis=0) ** 2), rtol=1e-5)


def test_the_moments_are_those_of_numpy():
    xs = features(50, 6)
    mean, factor = gaussian_moments(jnp.asarray(xs))
    np.testing.assert_allclose(mean, xs.mean(0), rtol=1e-5)
    np.testing.assert_allclose(factor.T @ factor, np.cov(xs.T), rtol=1e-4, atol=1e-5)


def test_the_bias_is_what_the_docstring_says():
    n, m, dims = 200, 100, 3

    @jax.jit
    @jax.vmap
    def of_equals(key):
        key_p, key_q = jax.random.split(key)
        return frechet_distance(
            jax.random.normal(key_p, (n, dims)), jax.random.normal(key_q, (m, dims))
        ).value

    draws = of_equals(jax.random.split(jax.random.key(0), 1000))
    bias = (1 / n + 1 / m) * dims * (dims + 5) / 4
    assert_unbiased(draws, bias)
    assert_biased(draws, 0.0)
    with rejected():  # the part of the means alone
        assert_unbiased(draws, (1 / n + 1 / m) * dims)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_not_hidden(bad):
    xs = features(50, 6)
    broken = xs.copy()
    broken[3, 2] = bad
    assert jnp.isnan(distance(xs, broken))
    assert jnp.isnan(distance(broken, broken))


def test_misuse_is_named():
    with pytest.raises(
        ValueError, match=r"features: got shape \(1, 3\), expected at least 2 samples"
    ):
        gaussian_moments(jnp.zeros((1, 3)))
    with pytest.raises(
        ValueError, match=r"fake_features: got samples of shape \(4,\), expected \(3,\)"
    ):
        frechet_distance(jnp.zeros((5, 3)), jnp.zeros((5, 4)))

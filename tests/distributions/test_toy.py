"""Toy targets against SciPy's mixtures and their own geometry."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.distributions import IsotropicMixture, grid, line, ring

WEIGHTED = IsotropicMixture([[0.0, 1.0], [2.0, -1.0], [4.0, 4.0]], [0.5, 1.0, 0.2], [1.0, 2.0, 5.0])


def density(target, x):
    parameters = map(np.asarray, (target.weights, target.modes, target.scales))
    parts = [
        w * stats.multivariate_normal(mode, s**2).pdf(x)
        for w, mode, s in zip(*parameters, strict=True)
    ]
    return np.sum(parts, axis=0)


@pytest.mark.parametrize(
    "target",
    [ring(), grid(), WEIGHTED, line([-1.0, 2.0], [0.065**0.5, 2.0**0.5], [0.33, 0.67])],
    ids=["ring", "grid", "weighted", "line"],
)
def test_densities_are_scipys_and_samples_follow_them(target, key):
    count = 20_000
    samples = np.asarray(target.sample(seed=key, sample_shape=count))
    modes, weights = np.asarray(target.modes), np.asarray(target.weights)
    assert samples.shape == (count, modes.shape[1])
    expected = np.log(density(target, samples[:500]))
    np.testing.assert_allclose(target.log_prob(samples[:500]), expected, rtol=2e-4, atol=2e-4)
    if len(modes) > 2:  # far enough apart to tell whose sample it is
        nearest = np.linalg.norm(samples[:, None] - modes, axis=-1).argmin(axis=1)
        if target is not WEIGHTED:
            counts = np.bincount(nearest, minlength=len(modes))
            # False alarm: 1e-6.
            assert stats.chisquare(counts, count * weights).pvalue > 1e-6
    mean = weights @ modes
    spread = np.sqrt(weights @ (np.asarray(target.scales)[:, None] ** 2 + (modes - mean) ** 2))
    assert (np.abs(samples.mean(axis=0) - mean) < 5 * spread / np.sqrt(count)).all()
    np.testing.assert_allclose(samples.std(axis=0), spread, rtol=0.03)


def test_the_marginal_of_samples_is_the_mixture(key):
    target = line([-1.0, 2.0], [0.3, 1.4], [0.33, 0.67])
    samples = np.asarray(target.sample(seed=key, sample_shape=5000))[:, 0]

    def cdf(x):
        return 0.33 * stats.norm(-1, 0.3).cdf(x) + 0.67 * stats.norm(2, 1.4).cdf(x)

    assert stats.kstest(samples, cdf).pvalue > 1e-4
    assert stats.kstest(samples + 0.2, cdf).pvalue < 1e-4


def test_a_ring_has_its_modes_evenly_around_and_none_twice():
    target = ring(8, radius=2.0)
    np.testing.assert_allclose(np.linalg.norm(target.modes, axis=1), 2.0, rtol=1e-6)
    gaps = np.linalg.norm(target.modes - np.roll(target.modes, 1, axis=0), axis=1)
    np.testing.assert_allclose(gaps, 4 * np.sin(np.pi / 8), rtol=1e-5)
    np.testing.assert_allclose(target.modes[0], [2.0, 0.0], atol=1e-6)


def test_rings_and_grids_are_those_of_the_literature():
    """Eight of sd .02 at radius 2 (Metz et al. 2017), 25 of sd .05 (Lin et al. 2018)."""
    for target, count, scale in ((ring(), 8, 0.02), (grid(), 25, 0.05)):
        np.testing.assert_array_equal(target.scales, np.full(count, scale, np.float32))


def test_a_grid_is_centered():
    modes = np.asarray(grid().modes)
    assert modes.shape == (25, 2)
    assert {tuple(m) for m in modes} == {(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)}


def test_misuse_is_named():
    for make, message in (
        (lambda: ring(0), "num_modes: got 0"),
        (lambda: grid(0), "side: got 0"),
        (lambda: ring(scale=0.0), "scales: got .* expected a positive"),
        (lambda: line([0.0, 1.0], 1.0, [0.5, -0.5]), "weights: got .* expected a positive"),
        (lambda: line([0.0, 1.0], [1.0, 1.0, 1.0]), r"scales: got shape \(3,\), .* \(2,\)"),
        (
            lambda: IsotropicMixture(jnp.zeros(3), 1.0),
            r"modes: got shape \(3,\), expected",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_scales_may_be_learned(key):
    slope = jax.grad(lambda s: line([0.0], s).log_prob(jnp.array([2.0])))(1.0)
    np.testing.assert_allclose(slope, 3.0, rtol=1e-5)  # (x² - s²) / s³


def test_what_vmap_returns_of_a_mixture_is_a_batch(key):
    """Each as if it were made and asked alone, in whatever of it differs."""
    modes = jnp.array([[[0.0, 1.0], [4.0, -1.0]], [[9.0, 9.0], [-5.0, 0.0]]])
    scales, weights = jnp.array([0.5, 0.1]), jnp.array([[1.0, 1e-9], [1.0, 3.0]])
    both = jax.vmap(IsotropicMixture)(modes, scales, weights)
    alone = [IsotropicMixture(*of) for of in zip(modes, scales, weights, strict=True)]
    assert (both.batch_shape, both.event_shape) == ((2,), (2,))
    x = jnp.array([[0.5, 1.0], [-5.1, 0.0]])
    expected = [p.log_prob(at) for p, at in zip(alone, x, strict=True)]
    np.testing.assert_allclose(both.log_prob(x), expected, rtol=1e-6)
    np.testing.assert_allclose(both.mean(), [p.mean() for p in alone], rtol=1e-5)
    draws = both.sample(seed=jax.random.clone(key), sample_shape=5)
    assert draws.shape == (5, 2, 2)
    keys = jax.random.split(key, 2)
    for i, p in enumerate(alone):
        np.testing.assert_allclose(draws[:, i], p.sample(seed=keys[i], sample_shape=5), rtol=1e-6)

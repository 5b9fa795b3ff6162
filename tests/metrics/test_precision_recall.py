"""Precision, recall, density and coverage against scikit-learn and their exact expectations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from sklearn.neighbors import NearestNeighbors

from jaxgen.metrics import precision_recall

RNG = np.random.default_rng(0)
found_by = jax.jit(precision_recall, static_argnames=("num_neighbors", "block_size"))


def by_scikit_learn(reals, fakes, k):
    """From the definitions, with the whole matrices of distances."""
    reals, fakes = reals.astype(np.float64), fakes.astype(np.float64)
    # Asked without points, it leaves each out of its own neighbors.
    radii = [NearestNeighbors(n_neighbors=k).fit(s).kneighbors()[0][:, -1] for s in (reals, fakes)]
    distances = np.linalg.norm(reals[:, None] - fakes, axis=-1)
    in_real, in_fake = distances <= radii[0][:, None], distances <= radii[1]
    return (
        in_real.any(axis=0).mean(),
        in_fake.any(axis=1).mean(),
        in_real.sum(axis=0).mean() / k,
        in_real.any(axis=1).mean(),
    )


@pytest.mark.parametrize(("dims", "block_size"), [(3, 7), (20, 1000)])
def test_against_scikit_learn_whatever_the_blocks(dims, block_size):
    """By differences in few dimensions, by a matrix product about the mean in many."""
    reals = (RNG.normal(size=(60, dims)) + 10).astype("f4")
    fakes = (0.8 * RNG.normal(size=(45, dims)) + 10.3).astype("f4")
    found = found_by(reals, fakes, num_neighbors=3, block_size=block_size)
    np.testing.assert_allclose(found, by_scikit_learn(reals, fakes, 3), rtol=1e-5)


def test_a_point_on_the_edge_of_a_ball_is_inside():
    reals, fakes = jnp.array([[0.0], [1.0], [5.0]]), jnp.array([[-1.0], [9.0], [12.0]])
    found = found_by(reals, fakes, num_neighbors=1, block_size=2)
    np.testing.assert_allclose(found, by_scikit_learn(np.array(reals), np.array(fakes), 1))
    assert found.coverage == pytest.approx(2 / 3)  # -1 lies at the radius of 0, and 9 at that of 5


def test_equal_distributions_have_density_one_and_the_coverage_of_an_urn():
    """Whether one of m fakes comes before the k-th of n - 1 reals is a matter of ranks alone."""
    n, m, k = 12, 9, 3

    def draws(neighbors):
        def one(key):
            key_real, key_fake = jax.random.split(key)
            reals, fakes = jax.random.normal(key_real, (n, 2)), jax.random.normal(key_fake, (m, 2))
            return precision_recall(reals, fakes, neighbors)

        return jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), 5000))

    ranks = np.arange(1, k + 1)
    coverage = 1 - np.prod((n - ranks) / (n + m - ranks))
    right = draws(k)
    assert_unbiased(right.density, 1.0)
    assert_unbiased(right.coverage, coverage)
    twin = draws(k - 1)  # a sample that counts as its own nearest neighbor
    with rejected():
        assert_unbiased(twin.density * (k - 1) / k, 1.0)
    with rejected():
        assert_unbiased(twin.coverage, coverage)


def test_a_dropped_mode_costs_variety_and_not_fidelity_and_noise_the_reverse(key):
    def two_modes(key, n, low):
        key_mode, key_noise = jax.random.split(key)
        modes = jax.random.randint(key_mode, (n, 1), low, 2)
        return 20.0 * modes + jax.random.normal(key_noise, (n, 3))

    key_real, key_all, key_one = jax.random.split(key, 3)
    reals = two_modes(key_real, 200, 0)
    fakes = two_modes(key_all, 200, 0)
    everything = found_by(reals, fakes)
    dropped = found_by(reals, two_modes(key_one, 200, 1))
    noisy = found_by(reals, fakes.at[::2].add(100.0))
    assert dropped.precision > everything.precision - 0.05
    assert dropped.recall < 0.6 < 0.85 < everything.recall
    assert dropped.coverage < 0.6 < 0.9 < everything.coverage
    np.testing.assert_allclose(noisy[::2], np.divide(everything[::2], 2), atol=0.1)
    assert noisy.coverage > 0.8


def test_what_is_not_finite_is_not_hidden():
    reals = jnp.asarray(RNG.normal(size=(200, 3)), jnp.float32)
    assert jnp.all(jnp.isnan(jnp.array(found_by(reals, reals.at[5, 1].set(jnp.nan)))))


def test_misuse_is_named():
    with pytest.raises(
        ValueError, match=r"fake_features: got samples of shape \(2,\), expected \(3,\), as r"
    ):
        precision_recall(jnp.zeros((9, 3)), jnp.zeros((9, 2)))
    with pytest.raises(ValueError, match="num_neighbors: got 5 of 4 points, expected fewer"):
        precision_recall(jnp.zeros((9, 3)), jnp.zeros((4, 3)))
    with pytest.raises(ValueError, match="block_size: got 0, expected an integer >= 1"):
        precision_recall(jnp.zeros((9, 3)), jnp.zeros((9, 3)), block_size=0)

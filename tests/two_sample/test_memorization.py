"""Memorization by ranks of distances, against scipy, on generators that copy and that do not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from jaxgen.two_sample import memorization_test, neighbor_accuracy

RNG = np.random.default_rng(0)
TRAIN, HELD_OUT, FRESH = jnp.asarray(RNG.normal(size=(3, 300, 5)), jnp.float32)
judged = jax.jit(memorization_test)


def by_scipy(samples):
    nearest = NearestNeighbors(n_neighbors=1).fit(TRAIN)
    distances = (nearest.kneighbors(xs)[0][:, 0] for xs in (samples, HELD_OUT))
    return stats.mannwhitneyu(
        *distances, alternative="less", method="asymptotic", use_continuity=False
    )


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_against_scipy_with_and_without_ties(noise):
    samples = TRAIN[:250] + jnp.asarray(noise * RNG.normal(size=(250, 5)), jnp.float32)
    samples = samples.at[:40].set(TRAIN[:40])  # all at distance zero
    found, expected = judged(TRAIN, HELD_OUT, samples), by_scipy(samples)
    assert found.statistic == pytest.approx(1 - expected.statistic / (250 * 300), abs=1e-5)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-3, abs=1e-12)
    assert found.all_finite


def test_ties_take_from_the_variance():
    """Whole numbers in one dimension: nearly all distances are 0 or 1."""
    rng = np.random.default_rng(3)
    train, held_out, samples = (
        jnp.asarray(rng.poisson(scale, (n, 1)), jnp.float32)
        for scale, n in ((30, 20), (30, 60), (33, 50))
    )
    nearest = NearestNeighbors(n_neighbors=1).fit(train)
    expected = stats.mannwhitneyu(
        *(nearest.kneighbors(xs)[0][:, 0] for xs in (samples, held_out)),
        alternative="less",
        method="asymptotic",
        use_continuity=False,
    )
    found = judged(train, held_out, samples)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-4)


@pytest.mark.parametrize("dims", [2, 40])
@pytest.mark.parametrize("half", [jnp.float16, jnp.bfloat16])
def test_half_precision_is_counted_in_full(half, dims):
    sets = jnp.asarray(100 * RNG.normal(size=(3, 400, dims)), half)
    full = sets.astype(jnp.float32)
    np.testing.assert_array_equal(judged(*sets), judged(*full))
    assert judged(sets[0], sets[1], sets[0]).p_value < 1e-6
    np.testing.assert_array_equal(neighbor_accuracy(*sets[:2]), neighbor_accuracy(*full[:2]))


def test_neighbors_at_one_distance_count_in_part():
    """Of points of a grid most have copies of both kinds: half of them are real, but for itself."""
    points = jnp.stack(jnp.meshgrid(jnp.arange(3.0), jnp.arange(3.0)), -1).reshape(9, 2)
    many = jnp.tile(points, (100, 1))
    np.testing.assert_allclose(neighbor_accuracy(many, many), [99 / 199] * 2, rtol=1e-5)


def test_copies_are_caught_and_fresh_samples_and_strays_are_not():
    copies = judged(TRAIN, HELD_OUT, TRAIN + 0.05 * FRESH)
    assert copies.statistic > 0.99
    assert copies.p_value < 1e-6
    assert judged(TRAIN, HELD_OUT, FRESH).p_value > 0.01
    strays = judged(TRAIN, HELD_OUT, FRESH + 3)
    assert strays.statistic < 0.05
    assert strays.p_value > 0.999


def test_false_alarms_come_at_their_rate():
    @jax.jit
    @jax.vmap
    def p_values(key):
        train, held_out, fresh = jax.random.normal(key, (3, 40, 2))
        right = memorization_test(train, held_out, fresh)
        return right.p_value, memorization_test(train, train[:20], fresh[:20]).p_value

    alarms, twin = (p < 0.1 for p in p_values(jax.random.split(jax.random.key(0), 2000)))
    # Given the training set the distances are exchangeable: 1 - 2e-5 of the time in here.
    low, high = stats.binom.interval(1 - 2e-5, 2000, 0.1)
    assert low <= np.sum(alarms) <= high
    assert not low <= np.sum(twin) <= high  # held-out data that are not


def test_equal_values_alone_are_no_evidence_and_what_is_not_finite_is_said():
    same = jnp.ones((30, 5))
    np.testing.assert_allclose(judged(same, same, same)[:2], (0.5, 0.5), rtol=1e-6)
    found = judged(TRAIN, HELD_OUT, FRESH.at[0, 0].set(jnp.nan))
    assert not found.all_finite
    assert jnp.isnan(found.p_value)


def test_neighbor_accuracy_against_scikit_learn():
    fakes = 0.7 * FRESH
    pooled = np.concatenate([HELD_OUT, fakes])
    neighbor = NearestNeighbors(n_neighbors=1).fit(pooled).kneighbors()[1][:, 0]
    right = (neighbor < 300) == (np.arange(600) < 300)
    found = jax.jit(neighbor_accuracy, static_argnames="block_size")(HELD_OUT, fakes, block_size=70)
    np.testing.assert_allclose(found, [right[:300].mean(), right[300:].mean()], rtol=1e-5)


def test_neighbor_accuracy_of_equals_and_of_copies(key):
    def accuracy(key):
        return neighbor_accuracy(*jax.random.normal(key, (2, 6, 2)))

    found = jax.jit(jax.vmap(accuracy))(jax.random.split(key, 5000))
    for draws in found:
        assert_unbiased(draws, 5 / 11)
        with rejected():  # as if each could be its own neighbor's neighbor
            assert_unbiased(draws, 0.5)
    assert neighbor_accuracy(TRAIN, TRAIN).p == 0.0
    few = neighbor_accuracy(TRAIN, jnp.repeat(TRAIN[:10], 30, axis=0))
    assert few.p > 0.9  # and their mean near a half


def test_misuse_is_named():
    with pytest.raises(ValueError, match=r"samples: got samples of shape \(2,\), expected \(5,\)"):
        memorization_test(TRAIN, HELD_OUT, jnp.zeros((4, 2)))
    with pytest.raises(ValueError, match="q_samples: got 4 samples, expected as many as of p, 300"):
        neighbor_accuracy(TRAIN, FRESH[:4])

"""An epoch over several sets: each in an order of its own, and no pair more often than another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.train import scan_epoch, scan_sets

SIDE, EPOCHS = 6, 400


def seen(state, key, batch):
    return state + 1, {"batch": batch}


def pairings(make):
    """How often datapoint i of one set met datapoint j of another of the same length."""
    data = (jnp.arange(SIDE), jnp.arange(SIDE))
    epoch = make(seen, 2)
    keys = jax.random.split(jax.random.key(0), EPOCHS)
    _, infos = jax.jit(jax.vmap(lambda key: epoch(jnp.int32(0), key, data)))(keys)
    x, y = infos["batch"]
    counts = np.zeros((SIDE, SIDE))
    np.add.at(counts, (np.ravel(x), np.ravel(y)), 1)
    return counts


def is_uniform(counts):
    """Chi-square of random matchings, on (n - 1)² degrees of freedom; false alarms: 1e-6.

    An entry is one of EPOCHS draws of Bernoulli(1/n), so that Pearson's sum has n (n - 1) for its
    mean where the rows and columns leave (n - 1)² free: hence the factor.
    """
    expected = EPOCHS / SIDE
    statistic = (SIDE - 1) / SIDE * np.sum((counts - expected) ** 2) / expected
    return statistic < stats.chi2.isf(1e-6, (SIDE - 1) ** 2)


def test_every_pair_meets_as_often_as_any_other():
    assert is_uniform(pairings(scan_sets))
    # One permutation for both: what stands at the same place always meets.
    assert not is_uniform(pairings(scan_epoch))


def test_a_small_preference_is_seen():
    """One epoch in ten in the order of the data: the law sees it."""
    counts = pairings(scan_sets)
    assert not is_uniform(0.9 * counts + 0.1 * EPOCHS * np.eye(SIDE))


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_longest_set_passes_once_and_a_shorter_one_begins_again_in_a_new_order(batch_size):
    data = {"x": {"index": jnp.arange(5), "square": jnp.arange(5) ** 2}, "y": jnp.arange(13)}
    epoch = jax.jit(scan_sets(seen, batch_size))
    rounds = []
    for i in range(2):
        steps, infos = epoch(jnp.int32(0), jax.random.key(i), data)
        batches = infos["batch"]
        assert int(steps) == 13 // batch_size
        y, x = np.ravel(batches["y"]), np.ravel(batches["x"]["index"])
        assert batches["y"].shape == (13 // batch_size, batch_size)
        assert len(np.unique(y)) == len(y) == len(x)
        np.testing.assert_array_equal(np.ravel(batches["x"]["square"]), x**2)
        assert sorted(x[:5]) == sorted(x[5:10]) == [0, 1, 2, 3, 4]
        rounds += [x[:5].tolist(), x[5:10].tolist()]
    assert len({tuple(order) for order in rounds}) > 2


def test_misuse_is_named():
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="batch_size: got 0"):
        scan_sets(seen, 0)
    with pytest.raises(ValueError, match="batch_size: got 9, expected at most 7"):
        scan_sets(seen, 9)(0, key, (jnp.zeros(3), jnp.zeros(7)))
    with pytest.raises(ValueError, match=r"data: got sets of \[3, 0\] datapoints"):
        scan_sets(seen, 2)(0, key, (jnp.zeros(3), jnp.zeros((0, 2))))
    with pytest.raises(ValueError, match="common leading axis"):
        scan_sets(seen, 2)(0, key, ((jnp.zeros(3), jnp.zeros(4)), jnp.zeros(4)))
    with pytest.raises(ValueError, match=r"data: got sets of \[\]"):
        scan_sets(seen, 2)(0, key, ())

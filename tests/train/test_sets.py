"""An epoch over several sets: each in an order of its own, and no pair more often than another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.train import scan_draws, scan_epoch, scan_sets

SIDE, EPOCHS = 6, 400


def as_jax(data):
    return jax.tree.map(jnp.asarray, data)


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


def drawn(state, key, batch):
    return state + 1, {"drawn": jax.random.uniform(key), "batch": batch}


EPOCHS_OF = {
    "epoch": lambda key: scan_epoch(drawn, 2)(0, key, jnp.arange(5)),
    "sets": lambda key: scan_sets(drawn, 2)(0, key, (jnp.arange(5), jnp.arange(3))),
    "draws": lambda key: scan_draws(drawn, jax.random.normal, 2)(0, key),
}


@pytest.mark.parametrize("name", EPOCHS_OF)
def test_many_seeds_at_once_are_each_by_itself_and_use_no_key_twice(name):
    keys = jax.random.split(jax.random.key(0), 3)
    together = jax.vmap(EPOCHS_OF[name])(jax.random.clone(keys))
    alone = EPOCHS_OF[name](keys[1])
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[1], b), together, alone)


def test_a_key_used_twice_in_a_step_is_still_seen():
    twice = scan_epoch(lambda s, key, _: (jax.random.bits(key) + jax.random.bits(key), {}), 2)
    with pytest.raises(jax.errors.KeyReuseError):
        jax.make_jaxpr(twice)(jnp.uint32(0), jax.random.key(0), jnp.arange(5))


def test_numpys_arrays_are_taken_as_they_are():
    data = {"x": np.arange(3), "y": (np.arange(7), np.arange(7.0))}
    epoch = scan_sets(seen, 2)
    for of_numpy, of_jax in (
        (epoch(0, jax.random.key(0), data), epoch(0, jax.random.key(0), as_jax(data))),
        (scan_epoch(seen, 2)(0, jax.random.key(0), data["y"]),
         scan_epoch(seen, 2)(0, jax.random.key(0), as_jax(data["y"]))),
    ):  # fmt: skip
        jax.tree.map(np.testing.assert_array_equal, of_numpy, of_jax)


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

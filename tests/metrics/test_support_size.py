"""The size of a support from birthdays, on supports of known size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.metrics import duplicate_share, support_size

estimate = jax.jit(support_size, static_argnames=("batch_size", "confidence"))


def duplicated(rng, probs, batch_size, shape):
    """Whether each of a `shape` of batches holds one thing twice."""
    draws = np.sort(rng.choice(len(probs), size=(*shape, batch_size), p=probs))
    return np.any(np.diff(draws) == 0, axis=-1)


@pytest.mark.parametrize(("size", "batch_size"), [(365, 23), (5000, 85)])
def test_uniform_supports_of_known_size(size, batch_size):
    """Of 365 days and 23 people, and of more."""
    rng = np.random.default_rng(0)
    batches = duplicated(rng, np.full(size, 1 / size), batch_size, (1000, 100))
    found = jax.vmap(lambda b: estimate(b, batch_size=batch_size))(jnp.asarray(batches))
    # Two in a hundred off to first order in s / N, and a hundred batches' noise in the median.
    assert np.median(found.estimate) == pytest.approx(size, rel=0.05)
    inside = np.sum((found.low <= size) & (size <= found.high))
    # The interval is approximate: a hundredth beside what binomial noise allows in all but 2e-5.
    low, high = stats.binom.interval(1 - 2e-5, 1000, 0.95) + np.array([-10, 10])
    assert low <= inside <= high
    one_sided = np.sum((found.low <= size) & (size <= found.estimate))
    assert one_sided < low  # half of the interval is not enough


def test_an_uneven_support_counts_as_one_over_the_sum_of_squares():
    probs = np.concatenate([np.full(100, 0.009), np.full(10_000, 1e-5)])
    batches = duplicated(np.random.default_rng(1), probs, 12, (20_000,))
    found = estimate(jnp.asarray(batches), batch_size=12)
    # Exactly only for pairs; here the chance of none among 12 is within a few in a hundred.
    assert found.estimate == pytest.approx(1 / np.sum(probs**2), rel=0.1)


def test_the_interval_is_wilsons():
    batches = jnp.arange(50) < 20
    found = estimate(batches, batch_size=10, confidence=0.9)
    interval = stats.binomtest(20, 50).proportion_ci(0.9, method="wilson")
    for size, share in ((found.low, interval.high), (found.high, interval.low)):
        np.testing.assert_allclose(size, 45 / -np.log1p(-share), rtol=1e-5)
    np.testing.assert_allclose(found.collisions, 0.4)


def test_no_duplicate_and_only_duplicates():
    none = estimate(jnp.zeros(30, bool), batch_size=10)
    assert none.estimate == none.high == jnp.inf
    assert 100 < none.low < 1000
    every = estimate(jnp.ones(30, bool), batch_size=10)
    assert every.estimate == every.low == 1
    assert 1 < every.high < 45


def test_duplicates_of_images_by_distance(key):
    """As the docstring's example: a generator that has 50 images, and rounds."""
    key_images, key_draws, key_noise = jax.random.split(key, 3)
    images = jax.random.uniform(key_images, (50, 16))
    chosen = jax.random.randint(key_draws, (500, 9), 0, 50)
    batches = images[chosen] + 1e-4 * jax.random.normal(key_noise, (500, 9, 16))
    pairs = jax.lax.map(lambda xs: duplicate_share(xs, 0.01) > 0, batches)
    found = estimate(pairs, batch_size=9)
    assert found.low < 50 < found.high


def test_large_batches_do_not_overflow_and_no_support_is_smaller_than_one_thing():
    half = jnp.array([True, False])
    np.testing.assert_allclose(
        support_size(half, 100_000).estimate, 100_000 * 99_999 / (2 * np.log(2)), rtol=1e-5
    )
    every = support_size(jnp.ones(10, bool), 100)
    assert every.estimate == every.low == 1


def test_misuse_is_named():
    with pytest.raises(ValueError, match="batch_size: got 1, expected an integer >= 2"):
        support_size(jnp.zeros(3, bool), 1)
    with pytest.raises(ValueError, match="duplicated: got bool of shape"):
        support_size(jnp.zeros(0, bool), 2)
    with pytest.raises(ValueError, match="duplicated: got float32"):  # the shares themselves
        support_size(jnp.zeros(3), 2)
    with pytest.raises(ValueError, match=r"confidence: got 1\.0, expected a number betw"):
        support_size(jnp.zeros(3, bool), 2, confidence=1.0)

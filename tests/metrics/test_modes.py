"""Coverage of modes on samples whose answer is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.distributions import ring
from jaxgen.metrics import duplicate_share, mode_coverage

TARGET = ring()
coverage = jax.jit(mode_coverage)


def test_data_cover_all_modes_evenly(key):
    samples = TARGET.sample(seed=key, sample_shape=2500)
    found = coverage(samples, TARGET.modes, TARGET.scales)
    assert int(found.covered) == 8
    assert found.entropy > 0.99 * np.log(8)
    # Within three standard deviations in the plane: 1 - exp(-9/2) of all; false alarm 1e-6.
    share = 1 - np.exp(-4.5)
    assert abs(found.high_quality - share) < 4.9 * np.sqrt(share * (1 - share) / 2500)
    assert 0 <= found.reverse_kl < 0.01
    np.testing.assert_allclose(found.histogram.sum(), 1.0, rtol=1e-6)


def test_a_collapse_is_one_mode_of_no_entropy():
    samples = jnp.broadcast_to(TARGET.modes[3] + 0.01, (100, 2))
    found = coverage(samples, TARGET.modes, TARGET.scales)
    assert (int(found.covered), float(found.entropy)) == (1, 0.0)
    np.testing.assert_allclose(found.reverse_kl, np.log(8), rtol=1e-6)
    np.testing.assert_array_equal(found.histogram, np.eye(8)[3])
    assert duplicate_share(samples, 1e-3) == 1.0


def test_scattered_samples_have_entropy_and_cover_nothing(key):
    samples = 0.3 * jax.random.normal(key, (1000, 2))
    found = coverage(samples, TARGET.modes, TARGET.scales)
    assert found.entropy > 0.95 * np.log(8)
    assert (int(found.covered), float(found.high_quality)) == (0, 0.0)


def test_the_histogram_against_scipy_with_unequal_weights_and_scales():
    modes = jnp.array([[0.0], [1.0], [5.0]])
    samples = jnp.array([[0.0], [0.29], [0.31], [1.2], [4.0], [5.05]])
    weights, scales = jnp.array([0.5, 0.3, 0.2]), jnp.array([0.1, 0.1, 0.5])
    found = coverage(samples, modes, scales, weights=weights)
    histogram = np.array([3, 1, 2]) / 6
    np.testing.assert_allclose(found.histogram, histogram, rtol=1e-6)
    np.testing.assert_allclose(found.entropy, stats.entropy(histogram), rtol=1e-5)
    np.testing.assert_allclose(found.reverse_kl, stats.entropy(histogram, weights), rtol=1e-5)
    np.testing.assert_allclose(found.high_quality, 5 / 6, rtol=1e-6)
    assert int(found.covered) == 3


def test_duplicates_are_counted_without_the_sample_itself():
    samples = jnp.array([[0.0, 0.0], [0.0, 1e-4], [1.0, 0.0], [3.0, 0.0]])
    np.testing.assert_allclose(duplicate_share(samples, 1e-3), 0.5)
    np.testing.assert_allclose(duplicate_share(samples, 1e-5), 0.0)
    np.testing.assert_allclose(duplicate_share(samples, 2.0), 1.0)


def test_what_is_not_finite_is_not_hidden_and_half_precision_is_counted_in_full():
    samples = jnp.array([[0.0, 0.0], [jnp.nan, 0.0], [2.0, 0.0]])
    assert jnp.isnan(duplicate_share(samples, 1.0))
    found = mode_coverage(samples, TARGET.modes, TARGET.scales)
    for number in (found.entropy, found.reverse_kl, found.high_quality):
        assert jnp.isnan(number)
    copies = jnp.zeros((300, 2), jnp.bfloat16).at[0].set(9.0)
    np.testing.assert_allclose(duplicate_share(copies, 0.1), 299 / 300, rtol=1e-6)


def test_a_mode_that_is_never_due_costs_nothing_where_it_is_never_met():
    modes = jnp.array([[0.0], [9.0]])
    found = mode_coverage(jnp.zeros((4, 1)), modes, 1.0, weights=jnp.array([1.0, 0.0]))
    assert found.reverse_kl == 0


def test_misuse_is_named():
    with pytest.raises(
        ValueError, match=r"modes: got samples of shape \(2,\), expected \(\), as samples has"
    ):
        mode_coverage(jnp.zeros(5), TARGET.modes, TARGET.scales)
    with pytest.raises(ValueError, match=r"modes: got samples of shape \(2,\), expected \(3,\)"):
        mode_coverage(jnp.zeros((5, 3)), TARGET.modes, TARGET.scales)
    with pytest.raises(
        ValueError, match=r"samples: got shape \(1, 2\), expected at least 2 samples"
    ):
        duplicate_share(jnp.zeros((1, 2)), 0.1)

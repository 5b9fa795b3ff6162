"""The kernel distance against its closed form for Gaussians and against loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected

from jaxgen.metrics import kernel_distance

SHIFT, SPREAD = 0.5, 1.2
distance = jax.jit(kernel_distance, static_argnames="subset_size")


def test_one_dimension_in_closed_form_and_the_error_is_the_standard_deviation():
    """(xy + 1)³ compares the first three moments: MMD² = 3 dm1² + 3 dm2² + dm3²."""

    @jax.jit
    @jax.vmap
    def draws(key):
        key_p, key_q, key = jax.random.split(key, 3)
        xs = jax.random.normal(key_p, (30, 1))
        ys = SHIFT + SPREAD * jax.random.normal(key_q, (47, 1))
        return kernel_distance(key, xs, ys, subset_size=5)

    found = draws(jax.random.split(jax.random.key(0), 4000))
    second, third = SHIFT**2 + SPREAD**2, SHIFT**3 + 3 * SHIFT * SPREAD**2
    truth = 3 * SHIFT**2 + 3 * (second - 1) ** 2 + third**2
    assert_unbiased(found.value, truth)
    with rejected():  # the kernel (xy + 1)²
        assert_unbiased(found.value, 2 * SHIFT**2 + (second - 1) ** 2)
    # Half the squared difference of two draws is unbiased for the variance.
    variance = (found.value[::2] - found.value[1::2]) ** 2 / 2
    assert_unbiased(found.stderr[::2] ** 2 - variance, 0.0)
    with rejected():  # the spread of the subsets, not of their mean
        assert_unbiased(6 * found.stderr[::2] ** 2 - variance, 0.0)


def test_by_loops():
    rng = np.random.default_rng(1)
    xs, ys = rng.normal(size=(2, 8, 3)).astype("f4")

    def k(x, y):
        return (x @ y / 3 + 1) ** 3

    def mmd(a, b):
        within = [np.mean([k(s[0], s[1]), k(s[1], s[0])]) for s in (a, b)]
        return sum(within) - 2 * np.mean([k(x, y) for x in a for y in b])

    # The subsets are unknown here, but their mean over many keys is the mean over all of them.
    keys = jax.random.split(jax.random.key(0), 2000)
    found = jax.vmap(lambda key: distance(key, xs, ys, subset_size=2).value)(keys)
    pairs = [[i, j] for i in range(8) for j in range(i)]
    assert_unbiased(found, np.mean([mmd(xs[a], ys[b]) for a in pairs for b in pairs]))


def test_of_two_subsets_the_error_is_half_their_difference():
    """All rows but one are alike, so that it does not matter which are drawn together."""
    xs, ys = jnp.ones((4, 1)), jnp.ones((4, 1))
    found = distance(jax.random.key(0), xs, ys.at[0].set(3.0), subset_size=2)
    # (x y + 1)^3 among 1 and 3: k(1, 1) = 8, k(1, 3) = 64; the subset without the 3 has MMD 0.
    other = 8 + 64 - 2 * (8 + 64) / 2
    np.testing.assert_allclose([found.value, found.stderr], [other / 2, abs(other) / 2], atol=1e-4)


def test_what_is_not_finite_is_not_hidden(key):
    xs = jnp.ones((10, 3))
    assert jnp.isnan(distance(key, xs, xs.at[2, 1].set(jnp.nan), subset_size=5).value)


def test_misuse_is_named(key):
    with pytest.raises(
        ValueError, match=r"fake_features: got samples of shape \(2,\), expected \(3,\)"
    ):
        kernel_distance(key, jnp.zeros((9, 3)), jnp.zeros((9, 2)))
    with pytest.raises(ValueError, match=r"subset_size: got 1000, expected at most half .*, 4"):
        kernel_distance(key, jnp.zeros((9, 3)), jnp.zeros((20, 3)))
    with pytest.raises(ValueError, match="subset_size: got 1, expected an integer >= 2"):
        kernel_distance(key, jnp.zeros((9, 3)), jnp.zeros((20, 3)), subset_size=1)

"""The bias of a gradient against a reference drawn with the same keys."""

import jax
import jax.numpy as jnp
import numpy as np
import problems
import pytest
from scipy import stats

from jaxgen.certify import paired_bias
from jaxgen.estimators import relaxed, score_function

THRESHOLD = stats.norm.isf(1e-6 / 2 / 8)  # eight coordinates, one false alarm in a million runs


def test_paired_bias_tells_the_biased_from_the_unbiased(key):
    problem = problems.coupled
    truth = problem.gradient()
    exact = lambda key: truth  # noqa: E731
    key_good, key_bad, key_same = jax.random.split(key, 3)
    good = problems.gradient(score_function(32), problem)
    bad = problems.gradient(relaxed(32), problem)
    test = lambda g, r, key: jax.jit(lambda key: paired_bias(g, r, key, 1000, 50))(key)  # noqa: E731
    assert test(good, exact, key_good).worst_z < THRESHOLD
    biased = test(bad, exact, key_bad)
    assert biased.worst_z > THRESHOLD
    np.testing.assert_allclose(biased.worst_z, jnp.max(jnp.abs(biased.z)))

    slightly = lambda key: good(key) + 1e-3  # noqa: E731
    paired = test(slightly, good, key_same)  # noise far above 1e-3 cancels in the pairs
    np.testing.assert_allclose(paired.difference, 1e-3, rtol=1e-2)
    assert paired.worst_z > THRESHOLD


def test_rounding_is_no_bias(key):
    exact = lambda key: jnp.array([1.0, -3.0])  # noqa: E731
    rounded = lambda key: exact(key) * (1 + 1e-7)  # noqa: E731
    assert paired_bias(rounded, exact, key, 100, 10).worst_z < 1


def test_a_difference_of_half_precision_gradients_is_taken_in_float32(key):
    """1000.25 is no float16."""
    ours = lambda key: jnp.asarray([1000.5, -1000.5], jnp.float16)  # noqa: E731
    theirs = lambda key: jnp.asarray([0.25, -0.25], jnp.float16)  # noqa: E731
    bias = paired_bias(ours, theirs, key, 100, 10)
    np.testing.assert_array_equal(bias.difference, [1000.25, -1000.25])
    assert bias.z.dtype == jnp.float32


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_any_floating_type_will_do_under_x64(dtype, key, x64):
    ours = lambda key: 1 + jax.random.normal(key, (2,), dtype)  # noqa: E731
    theirs = lambda key: jax.random.normal(key, (2,), dtype)  # noqa: E731
    bias = paired_bias(ours, theirs, key, 100, 10)
    assert bias.difference.dtype == jnp.float32
    np.testing.assert_allclose(bias.difference, 1.0, atol=0.02)

"""Pixels to floats: exact at the ends, right on average in between, refused when not uint8."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from scipy import stats

from jaxgen.data import dequantizer, dynamic, scale, threshold

LEVELS = jnp.array([0, 1, 2, 127, 128, 254, 255], jnp.uint8)
PROBS = np.asarray(LEVELS) / 255.0
DRAWS = 400_000


@pytest.fixture(scope="module")
def draws():
    return np.asarray(
        jax.jit(dynamic)(jax.random.key(1), jnp.broadcast_to(LEVELS, (DRAWS, len(LEVELS))))
    )


def test_dynamic_draws_bernoulli(draws):
    # At 400,000 draws a probability that is off by .004 at 1/2, or by .0005 at 1/255, is caught.
    assert set(np.unique(draws)) == {0.0, 1.0}
    assert draws.dtype == np.float32
    assert_unbiased(draws, PROBS)


def test_dynamic_is_certain_at_the_ends(draws):
    assert not draws[:, 0].any()
    assert draws[:, -1].all()


def test_the_law_sees_a_division_by_256(draws):
    with rejected():
        assert_unbiased(draws, np.asarray(LEVELS) / 256.0)


def test_the_law_sees_a_shared_draw():
    def broken(key, images):  # one uniform number for the whole image
        return (jax.random.uniform(key) < images / 255.0).astype(jnp.float32)

    image = jnp.full((64,), 128, jnp.uint8)
    truth = 64 * (128 / 255) * (127 / 255)  # the variance of a sum of independent pixels

    def squares(prepare):
        keys = jax.random.split(jax.random.key(2), 2000)
        sums = jax.jit(jax.vmap(lambda k: jnp.sum(prepare(k, image))))(keys)
        return (sums - 64 * 128 / 255) ** 2

    assert_unbiased(squares(dynamic), truth)
    with rejected():
        assert_unbiased(squares(broken), truth)


def test_the_threshold_of_every_level_is_its_probability():
    levels = np.arange(256)
    thresholds = 257 * levels + (levels >> 7)
    np.testing.assert_array_equal(thresholds, np.rint(levels * 65536 / 255))
    assert np.abs(thresholds / 65536 - levels / 255).max() <= 2.0**-17


@pytest.mark.parametrize("shape", [(), (3,), (5, 7, 1), (2, 28, 28, 1)])
def test_dynamic_keeps_any_shape_and_uses_its_key(shape):
    gray = jnp.full(shape, 128, jnp.uint8)
    assert dynamic(jax.random.key(0), gray).shape == shape
    if len(shape) == 4:
        one, two = dynamic(jax.random.key(0), gray), dynamic(jax.random.key(1), gray)
        assert 0.4 < np.mean(np.asarray(one) != np.asarray(two)) < 0.6


def test_neighboring_pixels_are_independent():
    # Two pixels share 32 random bits: their halves must not be related.
    pairs = np.asarray(jax.jit(dynamic)(jax.random.key(3), jnp.full((200_000, 2), 128, jnp.uint8)))
    table = [[np.sum((pairs[:, 0] == a) & (pairs[:, 1] == b)) for b in (0, 1)] for a in (0, 1)]
    assert stats.chi2_contingency(table).pvalue > 1e-6


def test_scale_and_threshold_are_what_they_say(key):
    levels = jnp.arange(256, dtype=jnp.uint8)
    np.testing.assert_allclose(scale(key, levels), np.arange(256) / 255, rtol=1e-7)
    np.testing.assert_array_equal(threshold(key, levels), np.arange(256) >= 128)


@pytest.mark.parametrize(("levels", "chosen"), [(256, (0, 7, 255)), (17, (0, 7, 16)), (2, (0, 1))])
def test_dequantized_pixels_are_uniform_within_each_level(levels, chosen):
    pixels = np.rint(np.array(chosen) * 255 / (levels - 1)).astype(np.uint8)
    images = jnp.broadcast_to(pixels, (100_000, len(chosen)))
    draws = np.asarray(jax.jit(dequantizer(levels))(jax.random.key(4), images), np.float64)
    noise = draws * levels - np.asarray(chosen)
    assert noise.min() >= (-1e-6 * levels if levels == 17 else 0)  # k / 17 is rounded
    assert noise.max() < 1
    assert draws.max() < 1
    for column in noise.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-6
    assert stats.kstest(np.floor(noise[:, 0] * 32) / 32, "uniform").pvalue < 1e-6  # 5 bits: seen


def test_every_level_is_recovered_from_its_pixel():
    for levels in range(2, 257):
        k = np.resize(np.arange(levels), 256)  # of one shape, for which JAX compiles once
        pixels = np.rint(k * (255 / (levels - 1))).astype(np.uint8)
        x = np.asarray(dequantizer(levels)(jax.random.key(levels), pixels))
        assert np.abs(x * levels - k - 0.5).max() <= 0.5 + 1e-4
        assert x.max() < 1
    assert dequantizer(17) == dequantizer(17)
    with pytest.raises(ValueError, match="levels: got 257, expected at most 256"):
        dequantizer(257)
    with pytest.raises(ValueError, match="levels: got 1, expected an integer >= 2"):
        dequantizer(1)


@pytest.mark.parametrize("prepare", [scale, threshold, dynamic, dequantizer(256)])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.int32])
def test_pixels_that_are_not_uint8_are_refused(prepare, dtype, key):
    with pytest.raises(ValueError, match=rf"images: got {jnp.dtype(dtype).name}, expected uint8"):
        prepare(key, jnp.zeros((2, 2), dtype))


@pytest.mark.parametrize("prepare", [scale, threshold, dynamic, dequantizer(256)])
def test_numpy_in_float32_out_even_in_x64(prepare, key, x64):
    assert prepare(key, np.full((3, 2), 9, np.uint8)).dtype == jnp.float32

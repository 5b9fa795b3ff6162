import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased
from scipy import special

from jaxgen.distributions import DiscretizedLogistic, GrayLevels, nearest_level

LOGITS = jax.random.normal(jax.random.key(0), (3, 5))


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_a_level_is_found_by_its_rounded_byte(levels):
    k = np.arange(levels)
    np.testing.assert_array_equal(nearest_level(np.rint(255 * k / (levels - 1)) / 255, levels), k)


def test_masses_are_scipys_and_draws_follow_them():
    p = GrayLevels(LOGITS)
    values = jnp.arange(5) / 4
    log_probs = p.log_prob(values[:, None])
    np.testing.assert_allclose(log_probs.T, special.log_softmax(LOGITS, axis=-1), rtol=1e-5)
    expected = special.softmax(LOGITS, axis=-1)
    np.testing.assert_allclose(p.mean(), np.sum(expected * values, axis=-1), rtol=1e-5)
    draws = p.sample(seed=jax.random.key(1), sample_shape=(20_000,))
    assert_unbiased(draws[..., None] == values, expected)


def test_half_precision_is_widened_and_one_level_refused():
    assert GrayLevels(LOGITS.astype(jnp.bfloat16)).log_prob(jnp.zeros(3)).dtype == jnp.float32
    with pytest.raises(ValueError, match="levels: got 1, expected an integer >= 2"):
        GrayLevels(jnp.zeros((3, 1)))


def test_what_is_no_number_has_no_mass():
    for p in (GrayLevels(jnp.zeros((2, 3))), DiscretizedLogistic(jnp.zeros(2), jnp.ones(2), 3)):
        log_probs = p.log_prob(jnp.array([jnp.nan, 0.5]))
        np.testing.assert_array_equal(np.isnan(log_probs), [True, False])


BOTH = pytest.mark.parametrize(
    "of",
    [
        lambda n: GrayLevels(jnp.zeros(n)),
        lambda n: DiscretizedLogistic(jnp.array(0.5), jnp.array(0.1), n),
    ],
)


@BOTH
@pytest.mark.parametrize("levels", [2, 17, 256, 1024])
def test_what_is_no_level_has_no_mass(of, levels):
    """Of the digits half a bin is 1/32; a value between levels was scored as the nearest."""
    p = of(levels)
    k = np.arange(levels, dtype=np.float32)
    exact = k / np.float32(levels - 1)
    masses = np.exp(jax.jit(p.log_prob)(exact))
    np.testing.assert_allclose(masses.sum(), 1, rtol=1e-4)
    between = (exact[:-1] + exact[1:]) / 2
    for off in (between, exact + 2, -1 - exact, between + 0.2 / levels):
        np.testing.assert_array_equal(p.log_prob(off), -np.inf)
    np.testing.assert_allclose(
        np.exp(p.log_prob((2 * exact - 1 + 1) / 2)), masses, rtol=1e-5
    )  # rounded
    if levels <= 256:
        as_bytes = np.rint(255 * exact) / np.float32(255)
        np.testing.assert_allclose(np.exp(p.log_prob(as_bytes)), masses, rtol=1e-5)
    if levels <= 17:  # of 256 levels bfloat16 has no more than some
        np.testing.assert_allclose(
            np.exp(p.log_prob(jnp.asarray(exact, jnp.bfloat16))), masses, rtol=1e-5
        )


@BOTH
@pytest.mark.parametrize("value", [np.uint8(3), jnp.array([3]), 1])
def test_bytes_and_numbers_of_levels_are_no_values(of, value):
    with pytest.raises(ValueError, match=r"value: got u?int\d+, expected floating-point numbers"):
        of(17).log_prob(value)

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
    np.testing.assert_allclose(p.mean(), expected @ values, rtol=1e-5)
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

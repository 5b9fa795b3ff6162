import distrax
import jax
import jax.numpy as jnp
import numpy as np
from laws import assert_unbiased, rejected

from jaxgen.distributions import Bernoulli

LOGITS = jnp.array([-3.0, 0.0, 2.0])


def test_is_distraxs_bernoulli_in_value_and_divergence():
    ours, theirs = Bernoulli(LOGITS), distrax.Bernoulli(LOGITS)
    for x in (jnp.zeros(3), jnp.ones(3)):
        np.testing.assert_allclose(ours.log_prob(x), theirs.log_prob(x), rtol=1e-6)
    np.testing.assert_allclose(
        ours.kl_divergence(Bernoulli(-LOGITS)),
        theirs.kl_divergence(distrax.Bernoulli(-LOGITS)),
        rtol=1e-6,
    )
    np.testing.assert_allclose(ours.mean(), jax.nn.sigmoid(LOGITS))


def test_samples_are_floats_with_the_right_mean():
    draws = Bernoulli(LOGITS).sample(seed=jax.random.key(0), sample_shape=(20_000,))
    assert draws.dtype == jnp.float32
    assert_unbiased(draws, jax.nn.sigmoid(LOGITS))
    with rejected():
        assert_unbiased(draws, jax.nn.sigmoid(1.2 * LOGITS))

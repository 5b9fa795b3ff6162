import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected

from jaxgen.distributions import Bernoulli, Independent
from jaxgen.models import LIKELIHOODS
from jaxgen.numerics import bernoulli_log_prob

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


def test_pixels_that_were_never_divided_by_255_are_refused():
    """Unless they are traced: numbers under jit do not raise. NaN is not finite, and stays so."""
    gray = np.array([0.0, 17.0, 255.0], np.float32)
    refusal = "x: got values from 0.0 to 255.0, expected 0 to 1"
    for p, x in (
        (Bernoulli(LOGITS), gray),
        (Independent(Bernoulli(LOGITS), 1), jnp.asarray(gray)),
        (LIKELIHOODS["bernoulli"].distribution(LOGITS[:, None]), gray),
    ):
        with pytest.raises(ValueError, match=refusal):
            p.log_prob(x)
    with pytest.raises(ValueError, match=r"x: got values from -1\.0 to 1\.0"):
        bernoulli_log_prob(LOGITS, jnp.array([-1.0, 0.5, 1.0]))
    traced = jax.jit(lambda x: Bernoulli(LOGITS).log_prob(x))(gray)
    np.testing.assert_allclose(traced, gray * LOGITS - np.logaddexp(0, LOGITS), rtol=1e-6)
    assert np.isnan(Bernoulli(LOGITS).log_prob(jnp.full(3, jnp.nan))).all()

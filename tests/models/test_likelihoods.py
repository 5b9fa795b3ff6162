import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.models import LIKELIHOODS, discretized_logistic

SHAPE = (3, 2, 1)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_an_untrained_decoder_says_the_mean_of_the_data(name):
    likelihood = LIKELIHOODS[name]
    mean = jax.random.uniform(jax.random.key(0), SHAPE, minval=0.3, maxval=0.7)
    bias = likelihood.initial_bias(mean)
    assert bias.shape == (*SHAPE, likelihood.outputs)
    p = likelihood.distribution(bias)
    assert p.event_shape == SHAPE
    tolerance = 0.08 if name == "discretized_logistic" else 1e-5  # its ends fold the tails in
    np.testing.assert_allclose(p.mean(), mean, atol=tolerance)
    sample = p.sample(seed=jax.random.key(1))
    assert sample.shape == SHAPE
    assert p.log_prob(sample).shape == ()


def test_gaussian_learns_its_mean_and_its_diagonal_covariance():
    outputs = jax.random.normal(jax.random.key(0), (*SHAPE, 2))
    x = jax.random.uniform(jax.random.key(1), SHAPE)
    loc, raw = np.asarray(outputs[..., 0]), np.asarray(outputs[..., 1])
    expected = stats.norm(loc, np.log1p(np.exp(raw)) + 1e-3).logpdf(x).sum()
    np.testing.assert_allclose(
        LIKELIHOODS["gaussian"].distribution(outputs).log_prob(x), expected, rtol=1e-5
    )


def test_a_logistic_of_seventeen_levels_has_all_its_mass_on_them():
    outputs = discretized_logistic(17).initial_bias(jnp.full(SHAPE, 0.5))
    values = jnp.arange(17).reshape(17, 1, 1, 1) / 16

    def mass(levels):
        pixels = discretized_logistic(levels).distribution(outputs).distribution
        return jnp.exp(pixels.log_prob(values)).sum(axis=0)

    np.testing.assert_allclose(mass(17), 1, rtol=1e-5)
    assert mass(256).max() < 0.3  # the tails at both ends, and a fifteenth of the rest


def test_bernoulli_of_an_always_black_pixel_is_finite():
    bias = LIKELIHOODS["bernoulli"].initial_bias(jnp.zeros(SHAPE))
    np.testing.assert_allclose(jax.nn.sigmoid(bias), 1e-3, rtol=1e-4)


@pytest.mark.parametrize("shape", [(8, 8, 1), (64,), (8, 8, 1, 3)])
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_outputs_of_another_shape_are_refused_by_name(name, shape):
    with pytest.raises(ValueError, match=r"decoder: got an output of shape .*expected \(height"):
        LIKELIHOODS[name].distribution(jnp.zeros(shape))

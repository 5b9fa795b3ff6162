import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxgen.models import LIKELIHOODS, categorical, discretized_logistic, logistic_mixture

SHAPE = (3, 2, 1)
HEADS = LIKELIHOODS | {
    "categorical": categorical(17),
    "discretized_logistic of 17": discretized_logistic(17),
    "logistic_mixture": logistic_mixture(17, 3),
    "a mixture of one": logistic_mixture(17, 1),
}


@pytest.mark.parametrize("name", HEADS)
def test_an_untrained_net_says_the_mean_of_the_data(name):
    likelihood = HEADS[name]
    mean = jax.random.uniform(jax.random.key(0), SHAPE, minval=0.3, maxval=0.7)
    bias = jax.jit(likelihood.initial_bias)(mean)
    assert bias.shape == (*SHAPE, likelihood.outputs)
    p = jax.jit(likelihood.distribution)(bias)
    assert p.event_shape == SHAPE
    tolerance = 0.1 if "logistic" in name or "mixture" in name else 1e-5  # ends fold the tails in
    np.testing.assert_allclose(p.mean(), mean, atol=tolerance)
    sample = jax.jit(lambda p: p.sample(seed=jax.random.key(1)))(p)
    assert sample.shape == SHAPE
    assert p.log_prob(sample).shape == ()


@pytest.mark.parametrize("name", [name for name in HEADS if name not in LIKELIHOODS])
def test_the_masses_of_all_levels_sum_to_one(name):
    """At the values of bytes, as they are stored: that of level 3 is round(255 * 3/16)/255."""
    outputs = 2 * jax.random.normal(jax.random.key(0), (1, HEADS[name].outputs))
    values = np.rint(255 * np.arange(17) / 16) / 255
    log_probs = (
        HEADS[name].distribution(outputs).log_prob(jnp.asarray(values, jnp.float32)[:, None])
    )
    np.testing.assert_allclose(np.exp(log_probs).sum(), 1.0, rtol=1e-5)


def test_a_mixture_of_logistics_is_the_mean_of_its_parts():
    outputs = jax.random.normal(jax.random.key(0), (1, 9))
    logits, parts = outputs[0, :3], outputs[0, 3:].reshape(3, 1, 2)
    x = jnp.full(1, 0.3)
    each = [discretized_logistic(17).distribution(part).log_prob(x) for part in parts]
    expected = special.logsumexp(each, b=special.softmax(logits))
    np.testing.assert_allclose(
        HEADS["logistic_mixture"].distribution(outputs).log_prob(x), expected, rtol=1e-5
    )


def test_an_untrained_categorical_is_beta_binomial():
    mean = jnp.array([0.2, 0.5])
    p = categorical(17).distribution(categorical(17).initial_bias(mean))
    for k in (0, 3, 16):
        expected = stats.betabinom(16, 2 * mean, 2 * (1 - mean)).logpmf(k).sum()
        np.testing.assert_allclose(p.log_prob(jnp.full(2, k / 16)), expected, rtol=1e-4)


def test_gaussian_learns_its_mean_and_its_diagonal_covariance():
    outputs = jax.random.normal(jax.random.key(0), (*SHAPE, 2))
    x = jax.random.uniform(jax.random.key(1), SHAPE)
    loc, raw = np.asarray(outputs[..., 0]), np.asarray(outputs[..., 1])
    expected = stats.norm(loc, np.log1p(np.exp(raw)) + 1e-3).logpdf(x).sum()
    np.testing.assert_allclose(
        LIKELIHOODS["gaussian"].distribution(outputs).log_prob(x), expected, rtol=1e-5
    )


@pytest.mark.parametrize("name", ["bernoulli", "categorical"])
def test_an_always_black_pixel_is_finite(name):
    p = HEADS[name].distribution(HEADS[name].initial_bias(jnp.zeros(SHAPE)))
    np.testing.assert_allclose(p.mean(), 1e-3, rtol=1e-3)


@pytest.mark.parametrize("shape", [(64,), (8, 8, 1, 4), ()])
@pytest.mark.parametrize("name", HEADS)
def test_outputs_of_another_shape_are_refused_by_name(name, shape):
    with pytest.raises(ValueError, match=r"net: got an output of shape .*expected \(height"):
        HEADS[name].distribution(jnp.zeros(shape))


@pytest.mark.parametrize(
    "refused",
    [lambda: categorical(1), lambda: discretized_logistic(1), lambda: logistic_mixture(1, 2)],
)
def test_one_level_is_refused(refused):
    with pytest.raises(ValueError, match="levels: got 1, expected an integer >= 2"):
        refused()

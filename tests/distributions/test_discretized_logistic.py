import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased
from scipy import stats

from jaxgen.distributions import DiscretizedLogistic

PARAMS = [(0.5, 0.1), (0.0, 0.02), (1.2, 0.3), (0.37, 0.004)]


@pytest.mark.parametrize(("loc", "scale"), PARAMS)
@pytest.mark.parametrize("levels", [2, 16, 256])
def test_masses_are_differences_of_scipys_distribution_function(loc, scale, levels, x64):
    grid = np.arange(levels) / (levels - 1)
    edges = np.concatenate([[-np.inf], (np.arange(levels - 1) + 0.5) / (levels - 1), [np.inf]])
    upper, lower = edges[1:], edges[:-1]
    cdf, sf = (getattr(stats.logistic(loc, scale), f) for f in ("cdf", "sf"))
    mass = np.where(lower > loc, sf(lower) - sf(upper), cdf(upper) - cdf(lower))
    ours = DiscretizedLogistic(jnp.array(loc), jnp.array(scale), levels)
    probs = np.exp(ours.log_prob(jnp.asarray(grid)))
    np.testing.assert_allclose(probs, mass, rtol=1e-7, atol=1e-300)
    np.testing.assert_allclose(probs.sum(), 1.0, rtol=1e-10)
    np.testing.assert_allclose(ours.mean(), np.sum(probs * grid), rtol=1e-9)


@pytest.mark.parametrize("x", [0.0, 128 / 255, 1.0])
def test_value_and_gradient_stay_finite_in_the_tails_in_float32(x):
    def log_prob(loc, scale):
        return DiscretizedLogistic(loc, scale).log_prob(jnp.array(x))

    for loc, scale in [(0.5, 1e-3), (-3.0, 1e-3), (4.0, 1e-3), (0.5, 50.0)]:
        value, gradients = jax.value_and_grad(log_prob, (0, 1))(jnp.array(loc), jnp.array(scale))
        assert np.isfinite([value, *gradients]).all()
        exact = stats.logistic.logpdf(x, loc, scale) - np.log(255)
        if 0 < x < 1 and scale > 0.1:
            np.testing.assert_allclose(value, exact, rtol=1e-4)


def test_samples_are_gray_levels_with_the_right_frequencies():
    dist = DiscretizedLogistic(jnp.array(0.4), jnp.array(0.1), 8)
    draws = dist.sample(seed=jax.random.key(1), sample_shape=(20_000,))
    levels = np.arange(8) / 7
    assert np.isin(np.round(draws * 7), np.arange(8)).all()
    assert_unbiased(
        np.abs(draws[:, None] - levels) < 1e-6, np.exp(dist.log_prob(jnp.asarray(levels)))
    )


def test_fewer_than_two_levels_are_refused():
    with pytest.raises(ValueError, match="levels: got 1, expected an integer >= 2"):
        DiscretizedLogistic(jnp.array(0.0), jnp.array(1.0), 1)

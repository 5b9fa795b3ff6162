"""Diagnostics of importance weights against scipy's generalized Pareto law and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.metrics import importance_diagnostics, pareto_k
from jaxgen.metrics.pareto import generalized_pareto_shape


@pytest.mark.parametrize("shape", [0.1, 0.5, 0.9, 1.5])
def test_pareto_k_is_the_shape_of_the_tail(shape):
    """Maximum likelihood on the same tail, drawn to 0.5 as the estimate is."""
    weights = stats.genpareto.rvs(shape, size=20_000, random_state=0)
    k = float(jax.jit(pareto_k)(jnp.log(jnp.asarray(weights))))
    tail = np.sort(weights)[-425:]  # ceil(3 sqrt(20,000))
    fitted = stats.genpareto.fit(tail[1:] - tail[0], floc=0)[0]
    np.testing.assert_allclose(k, (424 * fitted + 5) / 434, atol=0.03)
    np.testing.assert_allclose(k, shape, atol=0.2)


@pytest.mark.parametrize("scale", [0.0, -300.0, 300.0])
def test_pareto_k_does_not_see_the_scale_of_the_weights(scale):
    log_weights = jnp.asarray(np.random.default_rng(1).normal(size=400))
    np.testing.assert_allclose(pareto_k(log_weights + scale), pareto_k(log_weights), rtol=1e-3)


def zhang_and_stephens(x):
    """The profile posterior mean of ascending excesses, summed in numpy over their own grid."""
    n = len(x)
    points = 30 + int(np.sqrt(n))
    grid = 1 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))
    theta = 1 / x[-1] + grid / (3 * x[int(n / 4 + 0.5) - 1])
    shapes = np.log1p(-np.outer(theta, x)).mean(axis=1)
    density = np.array(
        [
            stats.genpareto.logpdf(x, k, scale=-k / t).sum()
            for k, t in zip(shapes, theta, strict=True)
        ]
    )
    mean = np.exp(density - density.max()) @ theta / np.exp(density - density.max()).sum()
    return (n * np.log1p(-mean * x).mean() + 5) / (n + 10)


@pytest.mark.parametrize(("shape", "n", "seed"), [(0.6, 60, 3), (3.0, 400, 1)])
def test_the_shape_of_a_tail_is_the_formula_in_float64(shape, n, seed):
    x = np.sort(stats.genpareto.rvs(shape, size=n, random_state=seed))
    found = generalized_pareto_shape(jnp.asarray(x))
    np.testing.assert_allclose(found, zhang_and_stephens(x), rtol=1e-4)


@pytest.mark.parametrize(("n", "tail"), [(21, 5), (103, 21), (403, 61)])
def test_the_tail_is_a_fifth_of_the_weights_or_three_roots_of_their_number(n, tail):
    """Whichever is less, rounded up: 4.2, 20.6 and 60.2."""
    weights = np.sort(stats.genpareto.rvs(0.8, size=n, random_state=0))
    expected = zhang_and_stephens(weights[-tail:] - weights[-tail - 1])
    np.testing.assert_allclose(pareto_k(jnp.log(jnp.asarray(weights))), expected, rtol=1e-3)


def test_ties_with_the_threshold_have_no_part_in_the_shape():
    x = np.sort(stats.genpareto.rvs(0.6, size=60, random_state=3))
    with_ties = jnp.asarray(np.concatenate([np.zeros(3), x]))  # of 63 the grid is that of 60
    np.testing.assert_allclose(
        generalized_pareto_shape(with_ties), zhang_and_stephens(x), rtol=1e-4
    )


def test_pareto_k_is_infinite_where_the_tail_says_nothing():
    assert pareto_k(jnp.zeros(1000)) == -jnp.inf  # q is the posterior
    assert pareto_k(jnp.full(1000, -jnp.inf)) == jnp.inf
    assert pareto_k(jnp.arange(20.0)) == jnp.inf  # a tail of four
    assert pareto_k(jnp.zeros(1)) == -jnp.inf
    few = jnp.full(1000, -jnp.inf).at[:3].set(jnp.arange(3.0))
    assert pareto_k(few) == jnp.inf
    ties = jnp.zeros(1000).at[:20].set(jnp.arange(20.0) / 10)
    assert jnp.isfinite(pareto_k(ties))
    almost = jnp.zeros(1000).at[::2].set(-1e-7)  # the posterior, rounded
    assert pareto_k(almost) == -jnp.inf


def test_importance_diagnostics_are_those_by_hand():
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    seen = importance_diagnostics(jnp.log(jnp.asarray(weights)) + 50.0)
    np.testing.assert_allclose(seen.ess, 100 / 30, rtol=1e-5)
    np.testing.assert_allclose(seen.log_weight_variance, np.var(np.log(weights), ddof=1), rtol=1e-4)
    assert seen.zeros == 0
    assert seen.all_finite


def test_zero_weights_are_said():
    seen = importance_diagnostics(jnp.array([-jnp.inf, 0.0, 1.0]))
    np.testing.assert_allclose(seen.log_weight_variance, 0.5)
    assert seen.zeros == 1
    assert not seen.all_finite
    nothing = importance_diagnostics(jnp.full(50, -jnp.inf))
    assert (nothing.ess, nothing.pareto_k, nothing.zeros) == (0.0, jnp.inf, 50)
    assert nothing.log_weight_variance == 0.0


def test_no_weights_are_refused():
    with pytest.raises(ValueError, match=r"log_weights: got shape \(0,\)"):
        importance_diagnostics(jnp.zeros(0))

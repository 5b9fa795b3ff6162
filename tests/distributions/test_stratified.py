"""Draws that cover the unit interval evenly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.distributions import stratified_uniform


def test_every_share_holds_one_draw(key):
    u = np.asarray(stratified_uniform(key, 1000))
    np.testing.assert_array_equal(np.floor(1000 * u), np.arange(1000))
    assert np.all((u > 0) & (u < 1))


@pytest.mark.parametrize("shift", [0.0, 1 - 2.0**-24])
def test_no_draw_is_rounded_to_an_end(shift, monkeypatch):
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape: jnp.full(shape, shift))
    u = np.asarray(stratified_uniform(jax.random.key(0), 3000))
    assert np.all((u > 0) & (u < 1))


def test_means_are_unbiased_and_their_variance_is_that_of_the_strata(key):
    """Of u² over n strata the variance is sum_i Var / n²; 4,000 repeats, five standard errors."""
    n, repeats = 8, 4000
    keys = jax.random.split(key, repeats)
    means = jax.vmap(lambda key: jnp.mean(stratified_uniform(key, n) ** 2))(keys)
    edges = np.linspace(0, 1, n + 1)

    def moment(k):
        return np.diff(edges ** (k + 1)) / (k + 1) * n

    variance = np.sum(moment(4) - moment(2) ** 2) / n**2
    assert abs(means.mean() - 1 / 3) < 5 * np.sqrt(variance / repeats)
    assert abs(means.var() / variance - 1) < 5 * np.sqrt(2 / repeats)


def test_a_count_below_one_is_refused(key):
    with pytest.raises(ValueError, match="count: got 0"):
        stratified_uniform(key, 0)

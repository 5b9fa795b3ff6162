"""Quadratures against scipy's, closed forms, and where a divergence becomes infinite."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from jaxgen.distributions import stratified_uniform
from jaxgen.divergences import (
    DIVERGENCES,
    NormalsOnLine,
    activated_bound,
    alpha_divergence,
    gaussian_alpha_divergence,
    tail_orders,
    variational_bound,
)

GRID = np.linspace(-30.0, 30.0, 15_001)
DATA = NormalsOnLine((0.33, 0.67), (-1.0, 2.0), (0.065, 2.0), GRID)
ORDERS = {"pearson": (2.0, 0.0), "neyman": (1.0, -1.0), "alpha": (1.5, 0.0)}


def density(x):
    return sum(
        w * stats.norm.pdf(x, m, s) for w, m, s in ((0.33, -1.0, 0.065**0.5), (0.67, 2.0, 2.0**0.5))
    )


def test_the_density_is_that_of_the_mixture():
    x = np.linspace(-4, 6, 50)
    np.testing.assert_allclose(np.exp(DATA.log_density(x)), density(x), rtol=1e-12)


def test_the_quadrature_is_scipys():
    def against(f, sd):
        q = stats.norm(0.5, sd).pdf
        options = {"points": [-1.5, -1.0, -0.5, 0.5, 2.0], "limit": 400}
        return integrate.quad(lambda x: q(x) * f(density(x) / q(x)), -12, 14, **options)[0]

    for name, f in (
        ("kl", lambda u: u * np.log(u)),
        ("pearson", lambda u: (u - 1) ** 2),
        ("neyman", lambda u: (1 - u) ** 2 / u),
        ("squared_hellinger", lambda u: (np.sqrt(u) - 1) ** 2),
        ("total_variation", lambda u: abs(u - 1) / 2),
    ):
        expected = against(f, 1.6)
        found = DATA.divergence(DIVERGENCES[name], 0.5, 1.6)
        assert found == pytest.approx(expected, rel=1e-4), name


@pytest.mark.parametrize("alpha", [-0.5, 0.5, 2.0])
def test_of_one_normal_it_is_the_closed_form(alpha):
    one = NormalsOnLine((1.0,), (0.3,), (0.8,), GRID)
    parameters = [jnp.array([x]) for x in (0.3, 0.8**0.5, -0.4, 1.1)]
    expected = gaussian_alpha_divergence(*parameters, alpha)
    found = one.divergence(alpha_divergence(alpha), -0.4, 1.1)
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    mean, sd, least = one.closest(alpha_divergence(alpha), mean=0.0, sd=1.2)
    np.testing.assert_allclose([mean, sd**2, least], [0.3, 0.8, 0.0], atol=1e-4)


def test_tails_grow_as_the_table_of_divergences_says():
    for name, divergence in DIVERGENCES.items():
        assert tail_orders(divergence) == pytest.approx(ORDERS.get(name, (1.0, 0.0))), name
    assert tail_orders(alpha_divergence(3.0)) == pytest.approx((3.0, 0.0))
    assert tail_orders(alpha_divergence(-2.0)) == pytest.approx((1.0, -2.0))


def test_what_is_infinite_is_said_and_what_is_nearly_so_is_large():
    # The integral of p^a q^(1 - a) in the tails, where the wide component is all of p.
    for name, inside, outside in (
        ("pearson", 1.02, 1.0),
        ("neyman", 1.98, 2.0),
        ("alpha", 0.86, 0.8),
    ):
        divergence = DIVERGENCES[name]
        assert DATA.divergence(divergence, 2.0, outside) == math.inf
        near = DATA.divergence(divergence, 2.0, inside)
        assert math.isfinite(near)
        assert near > DATA.closest(divergence, mean=0.0, sd=1.5).divergence
    assert DATA.infinite_for(DIVERGENCES["pearson"]) == "sd <= 1"
    assert DATA.infinite_for(DIVERGENCES["neyman"]) == "sd >= 2"
    for name in set(DIVERGENCES) - set(ORDERS):
        assert DATA.infinite_for(DIVERGENCES[name]) == "nowhere"
        for sd in (0.6, 4.0):
            assert math.isfinite(DATA.divergence(DIVERGENCES[name], 0.0, sd)), name


@pytest.mark.parametrize("name", DIVERGENCES)
def test_the_bound_is_tight_at_the_best_critic_alone(name):
    mean, sd = 0.8, 1.7
    ratio = DATA.log_density(GRID) - stats.norm.logpdf(GRID, mean, sd)
    truth = DATA.divergence(DIVERGENCES[name], mean, sd)
    best, form = ratio, variational_bound
    if name == "pearson":
        best, form = 2 * np.expm1(ratio), activated_bound
    found = DATA.bound(DIVERGENCES[name], mean, sd, best, form=form)
    assert found == pytest.approx(truth, abs=1e-6)
    wrong = best + 0.3 * np.sin(2 * GRID)
    assert DATA.bound(DIVERGENCES[name], mean, sd, wrong, form=form) < truth - 1e-3


def test_draws_are_of_the_mixture(key):
    """Strata of 20,000 lie within 1 / 20,000 of the quantiles, so no false alarms."""
    x = np.sort(np.asarray(DATA.from_uniform(stratified_uniform(key, 20_000))))
    cdf = sum(
        w * stats.norm.cdf(x, m, v**0.5)
        for w, m, v in zip(DATA.weights, DATA.means, DATA.variances, strict=True)
    )
    np.testing.assert_allclose(cdf, (np.arange(20_000) + 0.5) / 20_000, atol=1e-4 + 5e-5)


def test_the_lowest_uniform_draws_are_the_first_components():
    apart = NormalsOnLine((0.2, 0.3, 0.5), (50.0, 0.0, -50.0), (1.0, 1.0, 1.0), GRID)
    x = jax.jit(apart.from_uniform)(jnp.array([0.1, 0.19, 0.21, 0.49, 0.51, 0.99]))
    np.testing.assert_array_equal(jnp.round(x / 50), [1, 1, 0, 0, -1, -1])

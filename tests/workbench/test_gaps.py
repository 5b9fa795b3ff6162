"""Gaps over a set, measured on a model whose log p(x) is known, and what is reported of them."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear_gaussian import LinearGaussian

from jaxgen.models import LatentVariableModel
from jaxgen.workbench import (
    GapConfig,
    bound_draws,
    draw_fits,
    each_phi,
    elbo_at,
    encoded_phi,
    fitted_phi,
    mean_bounds,
    measure_gaps,
    report_gaps,
)
from jaxgen.workbench.gaps import falling

SCALE = np.array([0.5, 0.9])
KNOWN = LinearGaussian(jnp.array([[1.0, 0.5], [0.0, 1.0], [0.7, 0.2]]), jnp.zeros(3), 0.6)
MODEL = LatentVariableModel(
    init=lambda key: {},
    prior=lambda params: KNOWN.prior,
    encode=lambda params, x: distrax.Independent(
        distrax.Normal(0.3 * x[:2] + params["encoder"], jnp.array(SCALE)), 1
    ),
    decode=lambda params, z: distrax.Independent(distrax.Normal(KNOWN.weights @ z, 0.6), 1),
)
PARAMS = {"encoder": jnp.array([0.2, -0.4])}
XS = jnp.array([[0.5, -1.0, 0.3], [1.5, 0.2, -0.8]])
CONFIG = GapConfig(measure_steps=300, temperatures=10, chains=1000)
FEW = GapConfig(measure_steps=300, temperatures=10, chains=20)


def exact_elbo(mean, scale, x):
    reconstruction, kl = KNOWN.elbo_terms(x, mean, scale)
    return reconstruction - kl


@pytest.fixture(scope="module")
def measured():
    """Gaps of the encoder, and those from the prior's mean and scale on."""
    measure = measure_gaps(MODEL, CONFIG)
    encoder = each_phi(lambda params, key, x: encoded_phi(MODEL, params, x))
    key = jax.random.key(0)
    phis = encoder(PARAMS, jax.random.key(1), XS)
    zeros = jnp.zeros((2, 2, 2))
    encoded, from_prior = (
        measure(PARAMS, jax.random.clone(key), (XS, of, of)) for of in (phis, zeros)
    )
    return encoded, from_prior


@pytest.fixture(scope="module")
def drawn():
    """Bounds of a hundred images that the model draws."""
    return bound_draws(MODEL, FEW, PARAMS, jax.random.key(3), 100)


def test_the_gaps_of_a_set_are_those_of_its_images(measured):
    """Five standard errors: .35 of an ELBO where log w has a deviation of 1 (200 draws), .1 at the
    best; .08 of log p(x) where w has one of .5 (1,000 chains)."""
    encoded, from_prior = measured
    for gap, start in ((encoded, None), (from_prior, np.zeros(2))):
        assert gap.log_px.dtype == np.float64
        for i, x in enumerate(np.asarray(XS)):
            mean = 0.3 * x[:2] + np.asarray(PARAMS["encoder"]) if start is None else start
            scale = SCALE if start is None else np.ones(2)
            assert gap.log_px[i] == pytest.approx(KNOWN.log_marginal(x), abs=0.1)
            best, cov = KNOWN.posterior(x)
            best_elbo = exact_elbo(best, np.diag(np.linalg.inv(cov)) ** -0.5, x)
            assert gap.best_elbo[i] == pytest.approx(best_elbo, abs=0.1)
            spread = 0.35 * (1 + np.abs(exact_elbo(mean, scale, x) - best_elbo))
            assert gap.elbo[i] == pytest.approx(exact_elbo(mean, scale, x), abs=spread)
    # Not the numbers of one image twice.
    assert abs(encoded.log_px[0] - encoded.log_px[1]) > 0.1


def test_a_fit_climbs_from_where_the_encoder_begins(key):
    x = XS[0]
    start = encoded_phi(MODEL, PARAMS, x)
    infer = fitted_phi(MODEL, lambda params, x: encoded_phi(MODEL, params, x), falling(CONFIG), 20)
    phi = jax.jit(infer)(PARAMS, key, x)
    assert exact_elbo(phi[0], np.exp(phi[1]), x) > exact_elbo(start[0], SCALE, x) + 0.1
    assert np.abs(phi - start).max() < 20 * 2 * CONFIG.local_learning_rate  # 20 steps of Adam


def test_the_elbo_at_phi_is_that_of_its_gaussian():
    bounds = jax.vmap(lambda key: elbo_at(MODEL, PARAMS, jnp.zeros((2, 2)), key, XS[0]))(
        jax.random.split(jax.random.key(2), 2000)
    )
    # Five standard errors.
    spread = 5 * np.std(bounds) / np.sqrt(2000)
    exact = float(exact_elbo(np.zeros(2), np.ones(2), XS[0]))
    assert np.mean(bounds) == pytest.approx(exact, abs=float(spread))


def test_draws_of_the_model_lie_between_their_bounds(drawn):
    """E[log p(x)] is minus the entropy of x; its deviation is sqrt(3/2), five errors are .61."""
    cov = np.asarray(KNOWN.weights) @ np.asarray(KNOWN.weights).T + 0.36 * np.eye(3)
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * cov)[1]
    assert drawn.lower.mean() == pytest.approx(-entropy, abs=0.61)
    difference = drawn.upper - drawn.lower
    assert abs(difference.mean()) < 0.1
    assert np.std(drawn.lower) > 0.5  # images of their own


def test_the_report_says_the_means_of_the_parts(measured, drawn):
    encoded, from_prior = measured
    report = report_gaps({"train": from_prior, "test": encoded}, drawn, "amortized")
    for split, gap in (("train", from_prior), ("test", encoded)):
        said = report.result["gaps"][split]
        assert said["amortization"]["mean"] == gap.amortization.mean()
        assert said["total"]["stderr"] == pytest.approx(gap.total.std(ddof=1) / np.sqrt(2))
    accepted = encoded.transitions.acceptance_probability.mean()
    assert report.result["acceptance"] == accepted
    assert report.result["drawn_difference"] == (drawn.upper - drawn.lower).mean()
    assert [row[0] for row in report.table.rows][-1] == "total"
    assert mean_bounds({"test": encoded})["test_log_px"] == encoded.log_px.mean()
    figure = draw_fits({"encoder": encoded, "prior": from_prior}, ylabel="nats", title="fits")
    line, _, level = figure.axes[0].lines
    np.testing.assert_allclose(line.get_ydata()[0], encoded.optimum.values[:, 0].mean())
    assert level.get_ydata()[0] == encoded.log_px.mean()

"""The split of the inference gap against closed forms of a linear-Gaussian model."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from linear_gaussian import LinearGaussian

from jaxgen.estimators import sticking_the_landing
from jaxgen.inference import hmc_step, inference_gap, linear_temperatures

MODEL = LinearGaussian(jnp.array([[1.0, 0.5], [0.0, 1.0], [0.7, 0.2]]), jnp.zeros(3), 0.6)
X = jnp.array([1.5, 0.2, -0.8])
GIVEN, TUNED = (jnp.array([mean, [-0.75, -0.6]]) for mean in ([0.55, 0.125], [0.5, 0.225]))
NUMBERS = {"num_steps": 1500, "num_chains": 2000, "num_draws": 20_000}


def gaussian(phi):
    return distrax.Independent(distrax.Normal(phi[0], jnp.exp(phi[1])), 1)


def log_joint(z):
    return MODEL.log_joint(X, z)


def bound(phi, key):
    q = gaussian(phi)
    return sticking_the_landing().apply((), key, lambda z, q=q: log_joint(z) - q.log_prob(z), q)[0]


def hmc_of(phi):
    def transition(key, log_density, z, beta):
        step_size = 0.7 * jnp.exp(phi[1])
        return hmc_step(key, log_density, z, step_size=step_size, num_leapfrog_steps=5)

    return transition


def measure(key, **changes):
    numbers = NUMBERS | {"tuned_phi": TUNED} | changes
    optimizer = optax.adam(optax.cosine_decay_schedule(0.03, max(numbers["num_steps"], 1)))
    betas = linear_temperatures(30)
    return inference_gap(
        key, bound, GIVEN, log_joint, gaussian, hmc_of, betas, optimizer=optimizer, **numbers
    )


def elbo_at(mean, scale):
    reconstruction, kl = MODEL.elbo_terms(X, mean, scale)
    return reconstruction - kl


def expected_parts():
    """The best factorized Gaussian has the posterior's mean and the precisions of its diagonal."""
    mean, cov = MODEL.posterior(X)
    best = elbo_at(mean, np.diag(np.linalg.inv(cov)) ** -0.5)
    given, tuned = (elbo_at(phi[0], np.exp(phi[1])) for phi in (GIVEN, TUNED))
    log_px = MODEL.log_marginal(X)
    return {
        "approximation": log_px - best,
        "amortization": best - tuned,
        "generalization": tuned - given,
        "total": log_px - given,
    }


def test_every_part_is_its_closed_form(key):
    """Five standard errors: .025 of an ELBO (sd of log w: .7), .04 of log p(x) (sd of w: .35)."""
    gap = jax.jit(measure)(key)
    for name, value in expected_parts().items():
        assert getattr(gap, name) == pytest.approx(value, abs=0.04), name
        assert abs(value) > 0.05  # there is something to be seen
    assert gap.log_px == pytest.approx(MODEL.log_marginal(X), abs=0.04)
    parts = gap.approximation + gap.amortization + gap.generalization
    np.testing.assert_allclose(parts, gap.total, atol=1e-5)
    assert gap.transitions.acceptance_probability.shape == (2000, 30)
    assert 0.6 < gap.transitions.acceptance_probability.mean() <= 1
    assert gap.all_finite


def test_without_a_tuned_encoder_the_whole_of_it_is_amortization(key):
    few = {"num_steps": 50, "num_chains": 2, "num_draws": 1000}
    gap = jax.jit(lambda key: measure(key, tuned_phi=None, **few))(key)
    assert gap.generalization == 0
    assert gap.amortization == gap.best_elbo - gap.elbo
    # The same noise at both: an optimum that has moved is better, draw for draw.
    assert gap.amortization > 0
    assert gap.optimum.values.shape == (50,)


@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_may_be_zero(key, name):
    with pytest.raises(ValueError, match=f"{name}: got 0, expected an integer >= 1"):
        measure(key, **{name: 0})


def test_what_is_not_finite_is_said(key):
    few = {"num_steps": 5, "num_chains": 2, "num_draws": 10}
    gap = jax.jit(lambda key: measure(key, tuned_phi=TUNED.at[0].set(jnp.nan), **few))(key)
    assert not gap.all_finite

"""An f-divergence from exact log ratios: the mean over both sides is the divergence."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.divergences import (
    DIVERGENCES,
    alpha_divergence,
    discrete_divergence,
    divergence_of_log_ratios,
)

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.full(5, 0.3), 2)
CASES = {**DIVERGENCES, "alpha(-0.5)": alpha_divergence(-0.5)}


@pytest.mark.parametrize("name", CASES)
def test_its_mean_is_the_divergence(name):
    p, q = jnp.asarray(P), jnp.asarray(Q)
    ratios = jnp.log(p) - jnp.log(q)
    terms = divergence_of_log_ratios(ratios, ratios, CASES[name])
    exact = float(discrete_divergence(p, q, CASES[name]))
    assert float(jnp.sum(p * terms.p - q * terms.q)) == pytest.approx(exact, rel=2e-4, abs=1e-5)
    # Of one side alone it would be another number.
    assert abs(float(2 * jnp.sum(p * terms.p)) - exact) > 1e-3


@pytest.mark.parametrize("name", ["kl", "reverse_kl", "jensen_shannon", "squared_hellinger"])
def test_far_ratios_stay_finite(name):
    far = jnp.array([-80.0, -20.0, 0.0, 20.0, 80.0])
    terms = divergence_of_log_ratios(far, far, DIVERGENCES[name])
    assert jnp.all(jnp.isfinite(terms.p))
    assert jnp.all(jnp.abs(terms.p) <= jnp.abs(far) + 2)

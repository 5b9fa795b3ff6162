"""A certificate passes what is unbiased and refuses what is not."""

import dataclasses

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.certify import Problem, certify, inside, quadratic, toy
from jaxgen.estimators import disarm, leave_one_out, moving_average, rebar, relaxed, score_function
from tests.certify.broken import scaled

THRESHOLD = stats.norm.isf(1e-6 / 2 / 6)  # six coordinates, one false alarm in a million runs


def test_the_toy_of_one_bit_has_the_closed_form_of_disarm(key):
    """DisARM at two evaluations: the pair is (1, 0) or (0, 1) with probability 2 min(p, 1 - p)."""
    found = certify(toy(0.45), disarm(2), key)
    phi = -5.0
    p = jax.nn.sigmoid(phi)
    size = 0.5 * (1 - 2 * 0.45) * jax.nn.sigmoid(-phi)  # of the draws that are not zero
    share = 2 * p
    np.testing.assert_allclose(share * size, 0.1 * p * (1 - p), rtol=1e-5)
    expected = share * (1 - share) * size**2
    error = found.gradient.variance_stderr["phi"]
    assert abs(found.gradient.variance["phi"] - expected) < THRESHOLD * error
    assert found.bias.worst_z < THRESHOLD
    assert found.evaluations == 2


def test_a_gradient_that_leaves_out_the_params_inside_f_is_biased(key):
    """With f held, the mean of f's own gradient in the params is missing."""
    rloo = score_function(2, baseline=leave_one_out())

    def held(state, key, f, q, context=None):
        surrogate, estimate = rloo.apply(
            state, key, lambda z: jax.lax.stop_gradient(f(z)), q, context
        )
        return surrogate, estimate

    key_right, key_wrong = jax.random.split(key)
    right = certify(inside(), rloo, key_right)
    assert right.bias.worst_z < THRESHOLD
    assert set(right.gradient.mean["params"]) == {"logits", "weights"}
    wrong = certify(inside(), dataclasses.replace(rloo, apply=held), key_wrong)
    assert wrong.bias.worst_z > 10 * THRESHOLD


def test_a_relaxation_is_biased_and_what_carries_a_state_is_not(key):
    key_rebar, key_relaxed, key_average = jax.random.split(key, 3)
    problem = toy(0.45)._replace(params={"phi": jnp.array(0.5)})
    assert certify(problem, rebar(1), key_rebar).bias.worst_z < THRESHOLD
    average = score_function(2, baseline=moving_average())
    assert certify(problem, average, key_average).bias.worst_z < THRESHOLD
    assert certify(problem, relaxed(2), key_relaxed).bias.worst_z > THRESHOLD


def test_five_percent_too_much_is_seen(key):
    problem = quadratic()._replace(
        params={"mean": jnp.ones(()), "scale": jnp.ones(()), "k": jnp.asarray(3.0)}
    )
    estimator = problem.guide
    assert certify(problem, estimator, key).bias.worst_z < THRESHOLD
    assert certify(problem, scaled(estimator, 1.05), jax.random.clone(key)).bias.worst_z > THRESHOLD


def test_an_unknown_gradient_is_refused(key):
    problem = Problem("sine", jnp.zeros(()), lambda m, x: (jnp.sin, distrax.Normal(m, 1.0)))
    with pytest.raises(ValueError, match="problem: got sine without an exact gradient"):
        certify(problem, score_function(2), key)

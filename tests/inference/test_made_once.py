"""An eager call again with the same functions and shapes compiles nothing; no tracer is kept."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import compilations

from jaxgen.inference import (
    annealed_importance_weight,
    hmc_step,
    leapfrog,
    linear_temperatures,
    reverse_annealed_importance_weight,
)
from jaxgen.inference.made_once import made_once

PRIOR = distrax.Normal(0.0, 1.0)


def log_joint(z):
    return PRIOR.log_prob(z) - (z - 2.0) ** 2


def transition(key, log_density, z, beta):
    return hmc_step(key, log_density, z, step_size=0.5, num_leapfrog_steps=2)


PATH = log_joint, PRIOR, transition, linear_temperatures(3)
CALLS = {  # the rest of the room is called again by its examples
    "hmc_step": lambda key: hmc_step(
        key, PRIOR.log_prob, jnp.ones(()), step_size=0.1, num_leapfrog_steps=2
    ),
    "annealed": lambda key: annealed_importance_weight(key, *PATH),
    "reverse": lambda key: reverse_annealed_importance_weight(key, jnp.ones(()), *PATH),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_second_call_compiles_nothing(name):
    first = jax.block_until_ready(CALLS[name](jax.random.key(0)))
    with compilations() as found:
        second = jax.block_until_ready(CALLS[name](jax.random.key(1)))
    assert not found
    assert any(map(np.any, jax.tree.map(np.not_equal, first, second)))


def test_functions_that_look_alike_are_not_taken_for_each_other():
    for factor in (1.0, 4.0):  # of the oscillator's stiffness
        z, _ = leapfrog(lambda z, k=factor: -k * z**2 / 2, jnp.ones(()), jnp.zeros(()), 0.1, 1)
        np.testing.assert_allclose(z, 1 - factor * 0.1**2 / 2, rtol=1e-6)


def test_what_is_traced_is_not_kept():
    def end(stiffness):
        return leapfrog(lambda z: -stiffness * z**2 / 2, jnp.ones(()), jnp.zeros(()), 0.1, 1)[0]

    with jax.checking_leaks():
        slope = jax.grad(end)(4.0)
        ends = jax.vmap(end)(jnp.array([1.0, 4.0]))
        again = jax.jit(end)(4.0)
    np.testing.assert_allclose(slope, -(0.1**2) / 2, rtol=1e-5)
    np.testing.assert_allclose(ends, [0.995, 0.98], rtol=1e-6)
    np.testing.assert_allclose(again, 0.98, rtol=1e-6)


def test_it_is_made_once_of_the_same_and_anew_of_what_has_no_hash():
    def pair(*given):
        return list(given)

    assert made_once(pair, len, 1) is made_once(pair, len, 1)
    assert made_once(pair, len, 1) is not made_once(pair, len, 1.0)
    array = np.ones(2)
    assert made_once(pair, array) is not made_once(pair, array)

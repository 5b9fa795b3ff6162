"""HMC: its trajectory is reversible and keeps volume; its chain keeps a Gaussian as it is."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected

from jaxgen.inference import hmc_step, leapfrog

MEAN = jnp.array([1.0, -2.0])
COVARIANCE = jnp.array([[1.0, 0.6], [0.6, 2.0]])


def log_density(z):
    """N(MEAN, COVARIANCE), not normalized."""
    return -0.5 * (z - MEAN) @ jnp.linalg.inv(COVARIANCE) @ (z - MEAN)


def double_well(z):
    return -jnp.sum((z**2 - 1) ** 2) - 0.3 * z[0] * z[1]


def test_leapfrog_run_backwards_returns_to_its_start(x64):
    z, momentum = jnp.array([0.3, -1.2]), jnp.array([0.5, 0.8])
    end, momentum_end = leapfrog(double_well, z, momentum, 0.2, 15)
    assert np.abs(end - z).max() > 0.1
    back, momentum_back = leapfrog(double_well, end, -momentum_end, 0.2, 15)
    np.testing.assert_allclose(back, z, atol=1e-12)
    np.testing.assert_allclose(momentum_back, -momentum, atol=1e-12)


def test_leapfrog_keeps_volume_and_nearly_the_energy(x64):
    step_size = jnp.array([0.02, 0.01])  # one per entry

    def flow(state):
        return jnp.concatenate(leapfrog(double_well, state[:2], state[2:], step_size, 50))

    state = jnp.array([0.3, -1.2, 0.5, 0.8])
    assert np.linalg.det(jax.jacobian(flow)(state)) == pytest.approx(1.0, abs=1e-10)

    def energy(state):
        return 0.5 * jnp.sum(state[2:] ** 2) - double_well(state[:2])

    assert float(energy(flow(state))) == pytest.approx(float(energy(state)), abs=2e-3)


def moves(step, draws=20_000):
    """A step from each of many exact samples, and the samples."""
    key_start, key_step = jax.random.split(jax.random.key(4))
    starts = jax.random.multivariate_normal(key_start, MEAN, COVARIANCE, (draws,))
    return starts, jax.jit(jax.vmap(lambda key, z: step(key, log_density, z)))(
        jax.random.split(key_step, draws), starts
    )


def moments(zs):
    """Mean and second moments of each draw, about the true mean, and two that tell shape."""
    centered = np.asarray(zs, np.float64) - np.asarray(MEAN)
    products = centered[:, [0, 0, 1]] * centered[:, [0, 1, 1]]
    return np.concatenate([centered, products, centered**4], axis=1)


# E (z - mean)^4 = 3 variance^2.
TRUE_MOMENTS = np.array([0.0, 0.0, 1.0, 0.6, 2.0, 3.0, 12.0])


def test_hmc_leaves_the_density_invariant():
    # A step so long that about a third is refused: without Metropolis' test the law must break.
    step = partial(hmc_step, step_size=1.2, num_leapfrog_steps=3)
    starts, (ends, info) = moves(step)
    assert 0.5 < float(info.accepted.mean()) < 0.95
    np.testing.assert_allclose(info.accepted.mean(), info.acceptance_probability.mean(), atol=0.02)
    np.testing.assert_array_equal(np.any(np.asarray(ends != starts), axis=1), info.accepted)
    assert_unbiased(moments(ends), TRUE_MOMENTS)
    # E exp(-energy error) = 1 exactly, for a map that keeps volume and a start in equilibrium.
    assert_unbiased(np.exp(-np.asarray(info.energy_error, np.float64)), 1.0)


def test_leapfrog_without_metropolis_changes_the_density():
    def unadjusted(key, log_density, z):
        momentum = jax.random.normal(key, z.shape)
        return leapfrog(log_density, z, momentum, 1.2, 3)[0]

    with rejected():
        assert_unbiased(moments(moves(unadjusted)[1]), TRUE_MOMENTS)


def test_the_transition_is_in_detailed_balance():
    """In equilibrium, (start, end) has the law of (end, start): antisymmetric means vanish."""

    def antisymmetric(starts, ends):
        a, b = (np.asarray(x, np.float64) - np.asarray(MEAN) for x in (starts, ends))
        return a**2 * b - b**2 * a

    starts, (ends, _) = moves(partial(hmc_step, step_size=1.2, num_leapfrog_steps=3))
    assert_unbiased(antisymmetric(starts, ends), np.zeros(2))

    def drifting(key, log_density, z):  # towards one side, always accepted
        return 0.8 * z + 0.2 * MEAN + 0.3 * (z - MEAN) ** 2

    with rejected():
        assert_unbiased(antisymmetric(starts, moves(drifting)[1]), np.zeros(2))


def test_a_chain_from_afar_finds_the_density():
    @jax.jit
    @jax.vmap
    def chain(key):
        def step(z, index):
            key_step = jax.random.fold_in(key, index)
            return hmc_step(key_step, log_density, z, step_size=0.4, num_leapfrog_steps=4)

        return jax.lax.scan(step, jnp.array([8.0, 8.0]), jnp.arange(100))[0]

    assert_unbiased(moments(chain(jax.random.split(jax.random.key(0), 4000))), TRUE_MOMENTS)


def test_a_proposal_that_is_no_number_is_refused():
    def cliff(z):  # the root of a negative number beyond one, on either side
        return jnp.sum(jnp.sqrt(1 - jnp.abs(z)))

    start = jnp.full(3, 0.9)
    z, info = hmc_step(jax.random.key(0), cliff, start, step_size=5.0, num_leapfrog_steps=2)
    assert np.isnan(info.energy_error)
    assert float(info.acceptance_probability) == 0.0
    assert not bool(info.accepted)
    np.testing.assert_array_equal(z, start)


def test_no_leapfrog_steps_are_refused():
    with pytest.raises(ValueError, match="num_steps: got 0, expected an integer >= 1"):
        hmc_step(jax.random.key(0), log_density, MEAN, step_size=0.1, num_leapfrog_steps=0)

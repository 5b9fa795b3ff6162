import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.metrics import active_units, bits_per_dim, kl_per_dimension


def test_a_uniform_byte_costs_eight_bits_as_mass_and_as_density():
    assert bits_per_dim(784 * np.log(256), 784) == pytest.approx(8.0)
    assert bits_per_dim(0.0, 784, bin_width=1 / 256) == pytest.approx(8.0)


def test_bits_refuse_no_dimensions():
    with pytest.raises(ValueError, match="num_dims: got 0"):
        bits_per_dim(1.0, 0)
    with pytest.raises(ValueError, match="bin_width: got 0"):
        bits_per_dim(1.0, 1, bin_width=0.0)


def test_a_unit_is_active_if_its_mean_varies_by_more_than_the_threshold():
    x = jax.random.normal(jax.random.key(0), (5000,))
    means = jnp.stack([0.2 * x, 0.05 * x, jnp.ones(5000)], axis=1)  # variances .04, .0025, 0
    np.testing.assert_array_equal(active_units(means), [True, False, False])
    with pytest.raises(ValueError, match=r"posterior_means: got shape \(3,\)"):
        active_units(jnp.ones(3))


def test_kl_per_dimension_sums_to_the_kl():
    q = distrax.Independent(distrax.Normal(jnp.array([0.0, 1.0]), jnp.array([1.0, 2.0])), 1)
    p = distrax.Independent(distrax.Normal(jnp.zeros(2), jnp.ones(2)), 1)
    per_dimension = kl_per_dimension(q, p)
    np.testing.assert_allclose(per_dimension, [0.0, 0.5 * (1 + 4 - 1 - np.log(4))], atol=1e-6)
    np.testing.assert_allclose(per_dimension.sum(), q.kl_divergence(p), rtol=1e-6)


def test_kl_per_dimension_refuses_a_joint_of_dimensions():
    p = distrax.Independent(distrax.Normal(jnp.zeros(2), jnp.ones(2)), 1)
    joint = distrax.Transformed(p, distrax.Block(distrax.ScalarAffine(0.0, 2.0), 1))
    with pytest.raises(ValueError, match=r"q: got a Transformed, expected a distrax.Independent"):
        kl_per_dimension(joint, p)
    with pytest.raises(ValueError, match=r"prior: got a Transformed, expected"):
        kl_per_dimension(p, joint)


def test_kl_per_dimension_refuses_another_number_of_dimensions():
    """Three dimensions against one were broadcast."""
    q, prior = (distrax.Independent(distrax.Normal(jnp.ones(n), jnp.ones(n)), 1) for n in (3, 1))
    with pytest.raises(ValueError, match=r"prior: got event shape \(1,\), expected .* \(3,\)"):
        kl_per_dimension(q, prior)

"""The fixed point of a triangular map against the loop over its entries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.distributions import triangular_fixed_point


@pytest.mark.exact_products
def test_a_triangular_fixed_point_is_exact_and_has_the_slopes_of_its_unrolled_loop():
    lower = jax.random.normal(jax.random.key(0), (5, 5))
    noise = jax.random.normal(jax.random.key(1), (3, 5))

    def pass_over(lower, noise, x):
        return jnp.tanh(jnp.tril(lower, -1) @ x) + noise

    @jax.jit
    def solved(lower, noise):
        return triangular_fixed_point(lambda x: pass_over(lower, noise, x), jnp.zeros(5), 5)

    @jax.jit
    def unrolled(lower, noise):
        x = jnp.zeros(5)
        for _ in range(5):
            x = pass_over(lower, noise, x)
        return x

    x, passes = jax.vmap(solved, (None, 0))(lower, noise)
    np.testing.assert_array_equal(x, jax.vmap(unrolled, (None, 0))(lower, noise))
    assert passes.dtype == jnp.int32
    np.testing.assert_array_equal(passes, 5)
    exact = jax.jit(jax.jacrev(unrolled, (0, 1)))(lower, noise[0])
    for derivative in (jax.jacrev, jax.jacfwd):
        ours = jax.jit(derivative(lambda *a: solved(*a)[0], (0, 1)))(lower, noise[0])
        for one, other in zip(ours, exact, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)

    @jax.jit
    def start(x0):
        return triangular_fixed_point(lambda x: pass_over(lower, noise[0], x), x0, 9)

    assert start(x[0])[1] == 1
    assert start(jnp.full(5, jnp.nan))[1] <= 6
    with pytest.raises(ValueError, match="limit: got 0"):
        triangular_fixed_point(jnp.sin, jnp.zeros(2), 0)


def test_a_fixed_point_that_is_not_a_number_is_left():
    x, passes = triangular_fixed_point(lambda x: x + jnp.array([jnp.nan, 0.0]), jnp.zeros(2), 9)
    np.testing.assert_array_equal(x, [jnp.nan, 0.0])
    assert passes == 2

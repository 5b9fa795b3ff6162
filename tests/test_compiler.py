"""The compiler beneath returns what was written. jaxlib 0.10.2, which we exclude, does not."""

import jax
import jax.numpy as jnp
import numpy as np


def squares(matrix, rows):
    return jax.vmap(lambda row: jnp.sum((matrix @ row) ** 2))(rows)


def test_a_mapped_product_and_sum_is_right_at_every_size():  # jax-ml/jax#39103
    matrix = jnp.eye(3)
    for size in (2_000, 32_769, 40_001):
        rows = np.linspace(0.0, 1.0, 3 * size, dtype=np.float32).reshape(size, 3)
        np.testing.assert_allclose(
            jax.jit(squares)(matrix, rows), np.sum(np.float64(rows) ** 2, axis=1), rtol=1e-5
        )

"""The start that EM is given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.models import diagonal_gaussian, random_mixture


def test_components_are_alike_but_for_their_means_which_are_datapoints(key):
    xs = jnp.arange(12.0).reshape(6, 2)
    start = random_mixture(key, diagonal_gaussian(), xs, 6)
    np.testing.assert_allclose(jnp.exp(start.log_weights), 1 / 6, rtol=1e-6)
    np.testing.assert_allclose(
        start.components.variance, np.tile(np.var(xs, axis=0), (6, 1)), rtol=1e-5
    )
    np.testing.assert_allclose(jnp.sort(start.components.mean, axis=0), xs)


@pytest.mark.parametrize("count", [0, 7])
def test_more_components_than_datapoints_are_refused(count):
    with pytest.raises(ValueError, match="num_components: got"):
        random_mixture(jax.random.key(0), diagonal_gaussian(), jnp.zeros((6, 2)), count)

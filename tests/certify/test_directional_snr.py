"""The signal-to-noise ratio along the gradient against closed forms."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from jaxgen.certify import directional_snr


def test_directional_snr_of_isotropic_noise(key):
    # g = (m + e1, e2) with unit normals: E |m + e1| E 1/|e2| is infinite, so take three coordinates
    # across: E |m + e1| times E 1 / chi_3 = sqrt(2 / pi).
    direction = {"a": jnp.array([4.0, 0.0]), "b": jnp.zeros(2)}

    def gradient(key):
        noise = jax.random.normal(key, (4,))
        return {"a": direction["a"] + noise[:2], "b": noise[2:]}

    ratio = jax.jit(lambda key: directional_snr(gradient, direction, key, 100_000, 10_000))(key)
    along = stats.foldnorm(4.0).mean()
    np.testing.assert_allclose(ratio, along * math.sqrt(2 / math.pi), rtol=0.02)


def test_a_direction_that_noise_turns_round_counts_by_its_length(key):
    direction = jnp.array([0.1, 0.0, 0.0, 0.0])

    def draw(key):
        return direction + jax.random.normal(key, (4,))

    ratio = jax.jit(lambda key: directional_snr(draw, direction, key, 20_000, 10_000))(key)
    expected = stats.foldnorm(0.1).mean() * np.sqrt(2 / np.pi)
    np.testing.assert_allclose(ratio, expected, rtol=0.05)


def test_it_runs_under_vmap_with_key_reuse_checked(key):
    direction = jnp.array([3.0, 0.0])

    def one(key):
        draw = lambda key: direction + jax.random.normal(key, (2,))  # noqa: E731
        return directional_snr(draw, direction, key, 8, 4)

    keys = jax.random.split(key, 2)
    both = jax.vmap(one)(keys)
    np.testing.assert_allclose(both[1], one(jax.random.clone(keys)[1]), rtol=1e-6)

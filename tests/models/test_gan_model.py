"""The GAN's bundle: what it hands on, and which nets it refuses."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.models import gan
from jaxgen.nets import MLPCritic, MLPGenerator, pack


class Column(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(1)(x)


def test_samples_and_outputs_are_the_nets(key):
    generator, critic = MLPGenerator((4,), (2,), batch_norm=True), MLPCritic((4,))
    model = gan(generator, critic, latent_size=3, x_shape=(2,), packing=2)
    variables, critic_variables = jax.jit(model.init)(key)
    z = model.sample_latent(jax.random.key(1), 6)
    assert z.shape == (6, 3)
    x, changed = model.generate(variables, z, train=True)
    expected, stats = generator.apply(variables, z, train=True, mutable=["batch_stats"])
    np.testing.assert_array_equal(x, expected)
    chex.assert_trees_all_equal(changed, dict(stats))
    settled, nothing = model.generate(variables, z, train=False)
    assert nothing == {}
    assert not np.allclose(settled, x)
    outputs, nothing = model.criticize(critic_variables, x, train=True)
    assert nothing == {}
    assert outputs.shape == (3,)
    np.testing.assert_array_equal(outputs, critic.apply(critic_variables, pack(x, 2), train=True))


def test_nets_of_another_shape_are_refused(key):
    with pytest.raises(ValueError, match=r"critic: got an output of shape \(2, 1\) for 2 packs"):
        gan(MLPGenerator((), (2,)), Column(), latent_size=3, x_shape=(2,)).init(key)
    with pytest.raises(ValueError, match=r"generator: got an output of shape \(2, 2\).*\(2, 5\)"):
        gan(MLPGenerator((), (2,)), MLPCritic(()), latent_size=3, x_shape=(5,)).init(
            jax.random.key(1)
        )
    with pytest.raises(ValueError, match="packing: got 0, expected an integer >= 1"):
        gan(MLPGenerator((), (2,)), MLPCritic(()), latent_size=3, x_shape=(2,), packing=0)
    with pytest.raises(ValueError, match="latent_size: got 0"):
        gan(MLPGenerator((), (2,)), MLPCritic(()), latent_size=0, x_shape=(2,))


def test_a_batch_that_makes_no_packs_is_refused(key):
    model = gan(MLPGenerator((), (2,)), MLPCritic(()), latent_size=3, x_shape=(2,), packing=2)
    _, critic = model.init(key)
    with pytest.raises(ValueError, match=r"x: got shape \(3, 2\).* divisible by size=2"):
        model.criticize(critic, jnp.ones((3, 2)), train=True)


def test_latents_of_ones_own_are_those_that_a_game_draws():
    model = gan(MLPGenerator((), (2,)), MLPCritic(()), latent_size=3, x_shape=(2,))
    model = model._replace(sample_latent=lambda key, count: jnp.full((count, 3), 7.0))
    batch = model.draw(jax.random.key(0), jnp.ones((4, 2)))
    np.testing.assert_array_equal(batch.z, jnp.full((4, 3), 7.0))

"""Games on a known distribution: what is said of a critic, and a critic trained alone."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.models import gan
from jaxgen.nets import MLPCritic, MLPGenerator
from jaxgen.objectives import game_losses, gradient_penalty, wasserstein
from jaxgen.train import init_game
from jaxgen.workbench import (
    TARGETS,
    critic_against_noise,
    judge_critic,
    plane_gan,
    samples,
)


def test_of_a_linear_critic_the_slope_and_the_estimate_are_known(key):
    model = gan(MLPGenerator((), (2,)), MLPCritic(()), latent_size=3, x_shape=(2,))
    game = init_game(key, model, optax.sgd(0.1), optax.sgd(0.1))
    (weights,) = [leaf for leaf in jax.tree.leaves(game.critic.variables) if leaf.size == 2]
    fakes = samples(model, game, jax.random.key(1), 5)
    np.testing.assert_array_equal(fakes, samples(model, game, jax.random.key(1), 5))
    shift = jnp.array([3.0, -1.0])
    found = judge_critic(model, game, fakes + shift, fakes, lambda real, fake: real - fake)
    np.testing.assert_allclose(found["slope"], jnp.linalg.norm(weights), rtol=1e-5)
    np.testing.assert_allclose(found["estimate"], shift @ weights.ravel(), rtol=1e-4)


def test_a_critic_against_noise_is_high_where_the_data_are(key):
    model, target = plane_gan(4, critic=(32,)), TARGETS["ring"]()
    losses = game_losses(model, wasserstein(), penalty=gradient_penalty, penalty_weight=0.1)
    critic = critic_against_noise(
        key, model, losses, optax.adam(1e-2), target, num_steps=150, batch_size=64
    )
    modes = np.asarray(target.modes, np.float32)
    assert critic(modes).min() > critic(2 * modes).max()

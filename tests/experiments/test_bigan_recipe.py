"""The three encoders of the recipe learn, each by its own loss; the rates fall at the end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.bigan import Config, make_losses, make_model, make_optimizer

X = jax.random.uniform(jax.random.key(0), (6, 2, 2, 1))
TINY = {"hidden": (4, 4), "latent_size": 3, "r1": 0.0}


@pytest.mark.parametrize("encoder", ["bigan", "ali", "regressor"])
def test_every_encoder_has_a_slope_and_the_regressors_critic_sees_images_alone(encoder):
    config = Config(encoder=encoder, prior="normal" if encoder == "ali" else "uniform", **TINY)
    _, model = make_model(config, (2, 2, 1))
    losses = make_losses(config, model)

    @jax.jit
    def found(key):
        key_init, key_draw, key_loss = jax.random.split(key, 3)
        player, critic = model.init(key_init)
        batch = losses.draw(key_draw, X)

        def value(params):
            return losses.generator({**player, "params": params}, critic, key_loss, batch)[0]

        outputs = [model.criticize(critic, (X, z), train=False)[0] for z in (batch.z, -batch.z)]
        drawn = [model.encode(player, X, key=jax.random.key(i))[0] for i in (1, 2)]
        return jax.grad(value)(player["params"]), outputs, drawn

    slopes, outputs, drawn = found(jax.random.key(1))
    for net in ("G", "E"):
        assert any(leaf.any() for leaf in jax.tree.leaves(slopes[net])), net
    assert np.array_equal(*outputs) == (encoder == "regressor")
    assert np.array_equal(*drawn) == (encoder != "ali")
    if encoder != "ali":
        assert np.abs(drawn[0]).max() < 1  # within the prior's support


def test_the_rates_of_the_last_epochs_fall_to_a_hundredth():
    config = Config(epochs=4, decay_epochs=2, batch_size=10, **TINY)
    optimizer = make_optimizer(config, 0.1, 50)  # five steps an epoch
    params = jnp.zeros(())
    state, steps = optimizer.init(params), []
    for _ in range(20):
        updates, state = optimizer.update(jnp.ones(()), state, params)
        steps.append(-float(updates))
    np.testing.assert_allclose(steps[:11], 0.1, rtol=1e-4)
    np.testing.assert_allclose(steps[11:], 0.1 * 0.01 ** (np.arange(1, 10) / 10), rtol=1e-3)
    assert config.tied_to_epochs()
    assert Config().tied_to_epochs() is None

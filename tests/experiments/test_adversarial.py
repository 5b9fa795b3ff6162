"""A model and a loss put together: each player's loss, written out for one batch."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.models import gan
from jaxgen.nets import MLPCritic, MLPGenerator, pack
from jaxgen.objectives import gradient_penalty, non_saturating, relativistic
from jaxgen.train import Game, alternating_step, init_player
from jaxgen.workbench.adversarial import Batch, player_losses, with_latents

X = jax.random.normal(jax.random.key(0), (6, 2))
Z = jax.random.normal(jax.random.key(1), (6, 3))


@pytest.mark.parametrize("make", [non_saturating, relativistic])
def test_losses_are_the_means_over_pairs_of_packs(make, key):
    model = gan(
        MLPGenerator((4,), (2,), batch_norm=True), MLPCritic((4,)),
        latent_size=3, x_shape=(2,), packing=2,
    )  # fmt: skip
    generator, critic = model.init(key)
    losses = player_losses(model, make())
    batch, keys = Batch(X, Z), jax.random.split(jax.random.key(2), 3)
    fakes = losses.critic_view(generator, keys[0], batch)
    expected, stats = model.generate(generator, Z, train=True)
    np.testing.assert_array_equal(fakes, expected)
    real, fake = (np.asarray(model.criticize(critic, x, train=True)[0]) for x in (X, fakes))
    value, changed, info = losses.critic_loss(critic, fakes, keys[1], batch)
    sp = lambda v: np.logaddexp(0, v)  # noqa: E731
    by_hand = {
        non_saturating: (sp(-real) + sp(fake), sp(-fake)),
        relativistic: (sp(fake - real), sp(real - fake)),
    }[make]
    np.testing.assert_allclose(value, by_hand[0].mean(), rtol=1e-5)
    assert changed == {}
    np.testing.assert_allclose(info["accuracy"], ((real > 0).mean() + (fake < 0).mean()) / 2)
    value, changed, _ = losses.generator_loss(generator, critic, keys[2], batch)
    np.testing.assert_allclose(value, by_hand[1].mean(), rtol=1e-5)
    chex.assert_trees_all_equal(changed, stats)


def test_the_penalty_is_that_of_every_pack(key):
    model = gan(
        MLPGenerator((), (2,)), MLPCritic((4,), nn.tanh), latent_size=3, x_shape=(2,), packing=2
    )
    generator, critic = model.init(key)
    batch = Batch(X, Z)
    fakes, _ = model.generate(generator, Z, train=True)
    drawn = jax.random.key(4)
    plain = player_losses(model, non_saturating())
    penalized = player_losses(model, non_saturating(), penalty=gradient_penalty, penalty_weight=2.0)
    values = [
        float(losses.critic_loss(critic, fakes, jax.random.clone(drawn), batch)[0])
        for losses in (plain, penalized)
    ]
    norms = []
    for i, k in enumerate(jax.random.split(drawn, 3)):
        t = jax.random.uniform(k)
        rows = slice(2 * i, 2 * i + 2)
        between = t * X[rows] + (1 - t) * fakes[rows]
        slope = jax.grad(lambda x: model.criticize(critic, x, train=False)[0][0])(between)
        norms.append(float(jnp.linalg.norm(slope)))
    np.testing.assert_allclose(
        values[1] - values[0], 2 * np.mean((np.array(norms) - 1) ** 2), rtol=1e-4
    )
    assert pack(X, 2).shape == (3, 4)


def test_both_players_see_the_same_latents_and_every_update_others():
    model = gan(MLPGenerator((), (2,)), MLPCritic(()), latent_size=3, x_shape=(2,))

    def see(own, other, key, batch):
        return 0.0 * jnp.sum(own["params"]), {}, {"z": batch.z}

    optimizer = optax.sgd(0.1)
    update = with_latents(alternating_step(see, see, optimizer, optimizer), model)
    game = Game(*(init_player({"params": jnp.ones(1)}, optimizer) for _ in range(2)))
    infos = [update(game, jax.random.key(i), X)[1] for i in range(2)]
    for info in infos:
        np.testing.assert_array_equal(info["critic_z"], info["generator_z"])
        assert info["critic_z"].shape == (6, 3)
    assert not np.array_equal(infos[0]["critic_z"], infos[1]["critic_z"])

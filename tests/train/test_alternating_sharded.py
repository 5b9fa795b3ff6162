"""Games on eight pretended devices against one, and code that runs per device."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec

from jaxgen.train import (
    Game,
    alternating_step,
    data_mesh,
    gradient_step,
    init_player,
    init_state,
    per_device,
    replicate,
    scan_epoch,
    shard,
)

STEPS, BATCH = 20, 16
DATA = jax.random.normal(jax.random.key(0), (STEPS * 2 * BATCH, 3)) * jnp.array([1.0, 2.0, 0.5])


class Net(nn.Module):
    outputs: int
    normalized: bool

    @nn.compact
    def __call__(self, x):
        # Without a bias before the normalization: its gradient is zero but for rounding, which Adam
        # would blow up.
        x = nn.Dense(8, use_bias=not self.normalized)(x)
        if self.normalized:
            x = nn.BatchNorm(use_running_average=False, momentum=0.9)(x)
        return nn.Dense(self.outputs)(nn.tanh(x))


def make(*, normalized=False, penalty=0.0):
    """The two losses, and how to begin."""
    generator, critic = Net(3, normalized), Net(1, normalized)
    collections = ["batch_stats"] if normalized else []

    def generate(variables, key):
        noise = jax.random.normal(key, (BATCH, 2))
        return generator.apply(variables, noise, mutable=collections)

    def criticize(variables, x):
        logits, changed = critic.apply(variables, x, mutable=collections)
        return logits[:, 0], changed

    def generator_loss(own, other, key, batch):
        fake, changed = generate(own, key)
        # Together, for statistics of the fakes alone would leave their mean without a gradient.
        logits, _ = criticize(other, jnp.concatenate([batch[:BATCH], fake]))
        return jnp.mean(jax.nn.softplus(-logits[BATCH:])), changed, {}

    def critic_loss(own, other, key, batch):
        key_fake, key_between = jax.random.split(key)
        fake, _ = generate(other, key_fake)
        logits, changed = criticize(own, jnp.concatenate([batch, fake]))
        real_logits, fake_logits = logits[:BATCH], logits[BATCH:]
        value = jnp.mean(jax.nn.softplus(-real_logits) + jax.nn.softplus(fake_logits))
        if penalty:
            t = jax.random.uniform(key_between, (BATCH, 1))
            between = t * batch + (1 - t) * fake
            slopes = jax.vmap(jax.grad(lambda x: criticize(own, x[None])[0][0]))(between)
            value += penalty * jnp.mean((jnp.linalg.norm(slopes, axis=1) - 1) ** 2)
        return value, changed, {}

    @jax.jit
    def start():
        return Game(
            generator=init_player(generator.init(jax.random.key(1), jnp.ones((2, 2))), ADAM,
                                  ema=True),
            critic=init_player(critic.init(jax.random.key(2), jnp.ones((2, 3))), ADAM),
        )  # fmt: skip

    return generator_loss, critic_loss, start


ADAM = optax.adam(1e-3, b1=0.5, eps_root=1e-16)
VARIANTS = {
    "plain": ({}, {}),
    "penalty": ({"penalty": 10.0}, {"critic_steps": 2}),
    "batch norm": ({"normalized": True}, {}),
    "unrolled": ({}, {"unroll": 3}),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_eight_devices_give_the_answer_of_one(variant):
    of_losses, of_update = VARIANTS[variant]
    generator_loss, critic_loss, start = make(**of_losses)
    update = alternating_step(generator_loss, critic_loss, ADAM, ADAM, ema_decay=0.9, **of_update)
    batch = BATCH * of_update.get("critic_steps", 1)
    data = DATA[: STEPS * batch]
    mesh = data_mesh(8)

    def after(update, game, data):
        game, infos = jax.jit(scan_epoch(update, batch))(game, jax.random.key(3), data)
        assert bool(infos["all_finite"].all())
        assert int(game.generator.train.step) == STEPS
        return game

    one = after(update, start(), data)
    eight = after(shard(update, mesh), replicate(start(), mesh), replicate(data, mesh))
    assert all(len(leaf.sharding.device_set) == 8 for leaf in jax.tree.leaves(eight))
    chex.assert_trees_all_close(one, eight, atol=1e-5)
    moved = [
        float(jnp.abs(a - b).max())
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(start()), strict=True)
    ]
    assert max(moved) > 1e-2, "nothing was trained"


def squared(params, key, batch):
    return jnp.mean((batch @ params - 1.0) ** 2), {}


PARAMS = jnp.array([0.3, -0.2, 0.5])


def test_the_gradient_per_device_is_not_scaled():
    """The trap: averaging the gradients inside gives them once for every device."""
    mesh, batch = data_mesh(8), DATA[:32]
    whole, split = PartitionSpec(), PartitionSpec("data")
    key = jax.random.key(0)
    expected = jax.grad(lambda p: squared(p, None, batch)[0])(PARAMS)
    right = jax.jit(jax.grad(lambda p: per_device(squared, mesh)(p, key, batch)[0]))(PARAMS)
    np.testing.assert_allclose(right, expected, rtol=1e-5)

    def inside(params, batch):
        return jax.lax.pmean(jax.grad(lambda p: squared(p, None, batch)[0])(params), "data")

    trap = jax.jit(jax.shard_map(inside, mesh=mesh, in_specs=(whole, split), out_specs=whole))
    np.testing.assert_allclose(trap(PARAMS, batch), 8 * expected, rtol=1e-5)


def test_per_device_training_is_the_one_devices():
    mesh, sgd = data_mesh(8), optax.sgd(0.05)
    states = [
        jax.jit(scan_epoch(gradient_step(loss, sgd), 32))(
            init_state(PARAMS, sgd), jax.random.key(1), DATA
        )[0]
        for loss in (squared, per_device(squared, mesh))
    ]
    np.testing.assert_allclose(states[0].params, states[1].params, atol=1e-6)


def test_each_device_has_its_own_noise_and_its_own_statistics():
    mesh = data_mesh(8)

    def spread(key, batch):
        return {"variance": jnp.var(batch), "noise": jax.random.normal(key, (5,)) ** 2}

    key = jax.random.key(2)
    found = jax.jit(per_device(spread, mesh))(key, DATA[:32, 0])
    shares = np.asarray(DATA[:32, 0]).reshape(8, 4)
    np.testing.assert_allclose(found["variance"], shares.var(axis=1).mean(), rtol=1e-5)
    assert abs(found["variance"] - shares.var()) > 1e-2
    draws = [jax.random.normal(jax.random.fold_in(key, i), (5,)) ** 2 for i in range(8)]
    np.testing.assert_allclose(found["noise"], np.mean(draws, axis=0), rtol=1e-5)


def test_misuse_is_named():
    with pytest.raises(ValueError, match=r"mesh: got the axes \('model',\)"):
        per_device(squared, jax.make_mesh((8,), ("model",)))
    with pytest.raises(ValueError, match=r"batch: got an array of shape \(12, 3\).*8 devices"):
        per_device(squared, data_mesh(8))(PARAMS, jax.random.key(0), DATA[:12])

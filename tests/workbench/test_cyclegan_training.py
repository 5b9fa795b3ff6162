"""A CycleGAN's training: resumed in mid-pool to the bit, on four devices, over seeds."""

import dataclasses
from typing import ClassVar

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.models import cyclegan
from jaxgen.objectives import cycle_losses, wasserstein
from jaxgen.train import (
    data_mesh,
    game_update,
    image_pool,
    init_game,
    replicate,
    scan_sets,
    shard,
    simultaneous,
)
from jaxgen.workbench import Sets, TrainingConfig, begin, epoch_loop, train

POOL, BATCH = 6, 4
SHAPE = (2, 2, 1)


def images(seed, count, shape=SHAPE):
    drawn = np.random.default_rng(seed).integers(0, 5, (count, *shape))
    return (drawn / 4).astype(np.float32)


X, Y = images(0, 13), images(1, 9)


def shifted(v, x):
    """A generator of one number."""
    return x + v


def places(v, x):
    """A critic of every pixel."""
    return v[0] + v[1] * x[..., 0]


def net(function, start):
    return (lambda key, x: jnp.array(start)), function


def exact(shape):
    nets = (
        net(shifted, 0.25),
        net(shifted, -0.5),
        net(places, [0.5, 1.0]),
        net(places, [0.25, -1.0]),
    )
    return cyclegan(*nets, x_shape=shape, y_shape=shape, pool=image_pool(POOL))


EXACT = exact(SHAPE)
ADAM = optax.adam(1e-2, b1=0.5)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    """A training of the tests."""

    epochs: int = 4
    batch_size: int = BATCH
    schedule: ClassVar[str] = "constant"


def steps_of(model, optimizer, **options):
    losses = cycle_losses(model, **options)
    return game_update(losses, optimizer, optimizer, order=simultaneous)


UPDATE = steps_of(EXACT, ADAM)


def whole(game):
    return game


def trained_in(path):
    run = begin(Config(run_dir=str(path), resume=(path / "config.json").exists()))
    state = jax.jit(lambda key: init_game(key, EXACT, ADAM, ADAM))(jax.random.key(0))
    return train(
        run,
        state,
        UPDATE,
        Sets((X, Y)),
        lambda game, key, held_out: {"elbo": 0.0},
        key=jax.random.key(1),
        evaluated=whole,
    ).params


def test_a_training_killed_in_mid_pool_ends_as_one_that_was_not(tmp_path, monkeypatch):
    monkeypatch.setattr(epoch_loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    straight = trained_in(tmp_path / "a")

    def dying(record, *rest, keep=epoch_loop._stop_unless_finite):
        if rest[2] == 2:  # two epochs of three batches of four: the pool of six is in its second
            raise KeyboardInterrupt
        return keep(record, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(epoch_loop, "_stop_unless_finite", dying)
        with pytest.raises(KeyboardInterrupt):
            trained_in(tmp_path / "b")
    resumed = trained_in(tmp_path / "b")
    chex.assert_trees_all_equal(resumed, straight)
    assert int(straight.critic.mutable["pool"]["x"].count) == POOL
    assert int(straight.critic.train.step) == 4 * (13 // BATCH)


def test_four_devices_and_one_agree_to_the_bit_in_params_and_pool():
    """In binary fractions with room for every sum, so that the order of adding cannot show."""
    sgd = optax.sgd(0.5)
    update = steps_of(EXACT, sgd, loss=wasserstein(), cycle_weight=2.0, identity_weight=1.0)
    start = jax.jit(lambda key: init_game(key, EXACT, sgd, sgd))(jax.random.key(0))
    mesh = data_mesh(4)

    def after(update, game, data):
        return jax.jit(scan_sets(update, BATCH))(game, jax.random.key(2), data)[0]

    one = after(update, start, (X, Y))
    four = after(shard(update, mesh), *replicate((start, (X, Y)), mesh))
    assert all(len(leaf.sharding.device_set) == 4 for leaf in jax.tree.leaves(four))
    chex.assert_trees_all_equal(jax.device_get(one), jax.device_get(four))
    assert float(one.generator.train.params["forward"]) != 0.25
    assert int(four.critic.mutable["pool"]["y"].count) == POOL


def test_seeds_side_by_side_are_each_alone():
    update = steps_of(EXACT, ADAM)
    start = init_game(jax.random.key(3), EXACT, ADAM, ADAM)
    together = jax.jit(jax.vmap(update, in_axes=(0, 0, None)))
    alone = jax.jit(update)
    both, second = jax.tree.map(lambda leaf: jnp.stack([leaf] * 2), start), start
    for i in range(4):
        keys = jax.random.split(jax.random.key(i), 2)
        batch = (X[i : i + BATCH], Y[i : i + BATCH])
        both, _ = together(both, jax.random.clone(keys), batch)
        second, _ = alone(second, keys[1], batch)
    chex.assert_trees_all_close(jax.tree.map(lambda leaf: leaf[1], both), second, rtol=1e-5)
    pools = both.critic.mutable["pool"]["x"].images
    assert not np.array_equal(pools[0], pools[1])


def test_an_epoch_of_28x28_with_its_pool_stays_on_the_device_and_compiles_once():
    model = exact((28, 28, 1))
    data = jax.device_put((images(2, 9, (28, 28, 1)), images(3, 8, (28, 28, 1))))
    start = init_game(jax.random.key(4), model, ADAM, ADAM)
    traced = chex.assert_max_traces(scan_sets(steps_of(model, ADAM), BATCH), n=1)
    epoch = jax.jit(traced, donate_argnums=0)
    keys = list(jax.random.split(jax.random.key(5), 3))
    game, infos = epoch(start, keys[0], data)
    with jax.transfer_guard("disallow"):
        for key in keys[1:]:
            game, infos = epoch(game, key, data)
    assert bool(infos["all_finite"].all())
    assert game.critic.mutable["pool"]["x"].images.shape == (POOL, 28, 28, 1)

"""A model and a loss put together: each player's loss, written out for one batch."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.nnx import bridge

from jaxgen.models import GanBatch, conditional_gan, gan
from jaxgen.nets import MLPCritic, MLPGenerator, labeled, pack
from jaxgen.objectives import (
    GAN_LOSSES,
    PENALTIES,
    game_losses,
    gradient_penalty,
    lazy,
    non_saturating,
    one_sample_critic,
    output_penalty,
    r1_penalty,
    relativistic,
    relativistic_average,
)
from jaxgen.train import game_update, init_game
from jaxgen.types import GameLosses

X = jax.random.normal(jax.random.key(0), (6, 2))
Z = jax.random.normal(jax.random.key(1), (6, 3))
BATCH = GanBatch(X, Z)


def softplus(v):
    return np.logaddexp(0, v)


@pytest.mark.parametrize("make", [non_saturating, relativistic, relativistic_average])
def test_losses_are_the_means_over_pairs_of_packs(make, key):
    model = gan(
        MLPGenerator((4,), (2,), batch_norm=True), MLPCritic((4,)),
        latent_size=3, x_shape=(2,), packing=2,
    )  # fmt: skip
    generator, critic = model.init(key)
    losses, keys = game_losses(model, make()), jax.random.split(jax.random.key(2), 3)
    reals, fakes = losses.sides(generator, keys[0], BATCH)
    expected, stats = model.generate(generator, Z, train=True)
    np.testing.assert_array_equal(fakes, expected)
    np.testing.assert_array_equal(reals, X)
    real, fake = (np.asarray(model.criticize(critic, x, train=True)[0]) for x in (X, fakes))
    value, changed, info = losses.critic(critic, (reals, fakes), keys[1], BATCH)
    r, f = real - fake.mean(), fake - real.mean()
    by_hand = {
        non_saturating: (softplus(-fake), softplus(-real) + softplus(fake)),
        relativistic: (softplus(real - fake), softplus(fake - real)),
        relativistic_average: (softplus(r) + softplus(-f), softplus(-r) + softplus(f)),
    }[make]
    np.testing.assert_allclose(value, by_hand[1].mean(), rtol=1e-5)
    assert changed == {}
    np.testing.assert_allclose(info["accuracy"], ((real > 0).mean() + (fake < 0).mean()) / 2)
    value, changed, _ = losses.generator(generator, critic, keys[2], BATCH)
    np.testing.assert_allclose(value, by_hand[0].mean(), rtol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, changed, stats)


def test_an_output_of_zero_says_neither_real_nor_fake(key):
    model = gan(MLPGenerator((), (2,)), MLPCritic((4,)), latent_size=3, x_shape=(2,))
    _, critic = model.init(key)
    silent = jax.tree.map(jnp.zeros_like, critic)
    losses = game_losses(model, non_saturating())
    assert losses.critic(silent, (X, X + 1), jax.random.key(1), BATCH)[2]["accuracy"] == 0


def test_the_second_side_meets_the_collections_that_the_first_left_in_the_critic(key):
    model = gan(
        MLPGenerator((), (2,)), MLPCritic((4,), spectral_norm=True), latent_size=3, x_shape=(2,)
    )
    generator, critic = model.init(key)
    fakes, _ = model.generate(generator, Z, train=True)
    _, _, info = game_losses(model, non_saturating()).critic(
        critic, (X, fakes), jax.random.key(0), BATCH
    )
    _, between = model.criticize(critic, X, train=True)
    expected, _ = model.criticize({**critic, **between}, fakes, train=True)
    apart, _ = model.criticize(critic, fakes, train=True)
    np.testing.assert_allclose(info["of_fakes"], expected.mean(), rtol=1e-5)
    assert abs(apart.mean() - expected.mean()) > 1e-3, "nothing to tell them by"


@pytest.mark.parametrize("packing", [1, 2])
def test_the_penalty_is_that_of_every_pack(packing, key):
    model = gan(
        MLPGenerator((), (2,)), MLPCritic((4,), nn.tanh),
        latent_size=3, x_shape=(2,), packing=packing,
    )  # fmt: skip
    generator, critic = model.init(key)
    fakes, _ = model.generate(generator, Z, train=True)
    drawn = jax.random.key(4)
    plain = game_losses(model, non_saturating())
    penalized = game_losses(model, non_saturating(), penalty=gradient_penalty, penalty_weight=2.0)
    values = [
        float(losses.critic(critic, (X, fakes), jax.random.clone(drawn), BATCH)[0])
        for losses in (plain, penalized)
    ]
    norms = []
    for i, k in enumerate(jax.random.split(drawn, 6 // packing)):
        t = jax.random.uniform(k)
        rows = slice(packing * i, packing * i + packing)
        between = t * X[rows] + (1 - t) * fakes[rows]
        slope = jax.grad(lambda x: model.criticize(critic, x, train=False)[0][0])(between)
        norms.append(float(jnp.linalg.norm(slope)))
    np.testing.assert_allclose(
        values[1] - values[0], 2 * np.mean((np.array(norms) - 1) ** 2), rtol=1e-4
    )
    assert pack(X, 2).shape == (3, 4)


def test_the_weight_of_a_penalty_may_follow_the_critics_step(key):
    model = gan(MLPGenerator((), (2,)), MLPCritic(()), latent_size=3, x_shape=(2,))
    _, critic = model.init(key)
    losses = game_losses(
        model, non_saturating(), penalty=r1_penalty, penalty_weight=lambda step: 0.5 * step
    )
    values = []
    for step in range(3):
        value, _, info = losses.critic(critic, (X, X), jax.random.key(0), BATCH, step=step)
        values.append(float(value))
    np.testing.assert_allclose(np.diff(values), 0.5 * info["penalty"], rtol=1e-4)
    assert info["penalty"] > 0.01


@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_slope_of_one_sample_is_that_in_its_batch_or_refused(batch_norm, key):
    """With a minibatch standard deviation each output depends on all: the slope alone is wrong."""

    class Critic(nn.Module):
        look: bool

        @nn.compact
        def __call__(self, x, *, train):
            x = nn.tanh(nn.Dense(4)(x))
            if batch_norm:
                x = nn.BatchNorm(use_running_average=not train)(x)
            if self.look:
                return MLPCritic((4,), minibatch_stddev=True)(x, train=train)
            return nn.Dense(1)(x)[:, 0]

    for look in (False, True):
        model = gan(MLPGenerator((), (2,)), Critic(look), latent_size=3, x_shape=(2,))
        _, critic = model.init(jax.random.clone(key))
        one = one_sample_critic(model.criticize, critic)
        over_batch = jax.grad(lambda x: model.criticize(critic, x, train=False)[0].sum())(X)  # noqa: B023
        losses = game_losses(model, non_saturating(), penalty=r1_penalty, penalty_weight=1.0)
        if look:
            with pytest.raises(ValueError, match="critic: got one whose output of a sample depend"):
                jax.jit(jax.vmap(jax.grad(one)))(X)
            with pytest.raises(ValueError, match="critic: got one whose output"):
                jax.jit(losses.critic)(critic, (X, X), jax.random.key(0), BATCH)
        else:
            np.testing.assert_allclose(jax.vmap(jax.grad(one))(X), over_batch, rtol=1e-5)
            _, _, info = jax.jit(losses.critic)(critic, (X, X), jax.random.key(0), BATCH)
            np.testing.assert_allclose(
                info["penalty"], jnp.mean(jnp.sum(over_batch**2, axis=1)), rtol=1e-5
            )


def test_a_critic_of_packs_is_no_critic_of_one_sample_unless_it_is_said(key):
    model = gan(MLPGenerator((), (2,)), MLPCritic(()), latent_size=3, x_shape=(2,), packing=2)
    _, critic = model.init(key)
    with pytest.raises(ValueError, match=r"x: got shape \(.*divisible by size=2"):
        one_sample_critic(model.criticize, critic)(X[0])
    output = one_sample_critic(model.criticize, critic, packing=2)(X[:2])
    np.testing.assert_allclose(output, model.criticize(critic, X[:2], train=False)[0][0])


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_are_over_all_arrays_of_a_side(name, key):
    """A side of two arrays has the penalty of the two put together."""

    def apart(side):
        return jnp.sin(side["x"]).sum() * side["z"].sum() + (side["z"] ** 2).sum()

    real, fake = {"x": X[0], "z": Z[0]}, {"x": X[1], "z": Z[1]}
    value = PENALTIES[name](jax.random.clone(key), apart, real, fake)
    if name == "gradient":
        t = jax.random.uniform(key)
        at = jax.tree.map(lambda a, b: t * a + (1 - t) * b, real, fake)
    elif name == "dragan":
        keys = jax.random.split(key)
        noise = {"x": jax.random.normal(keys[0], (2,)), "z": jax.random.normal(keys[1], (3,))}
        at = jax.tree.map(jnp.add, real, noise)
    else:
        at = {"r1": real, "r2": fake}[name]
    slope = np.concatenate(jax.tree.leaves(jax.grad(apart)(at)))
    squared = np.sum(slope**2)
    expected = squared if name in ("r1", "r2") else (np.sqrt(squared) - 1) ** 2
    np.testing.assert_allclose(value, expected, rtol=1e-5)


ADAM = optax.adam(1e-2, b1=0.5)


def test_both_players_see_the_same_latents_and_every_update_others():
    model = gan(MLPGenerator((), (2,)), MLPCritic(()), latent_size=3, x_shape=(2,))

    def see(own, other, key, batch):
        return 0.0 * jnp.sum(own["params"]["Dense_0"]["kernel"]), {}, {"z": batch.z}

    losses = GameLosses(model.draw, lambda generator, key, batch: None, see, see)
    update = jax.jit(game_update(losses, ADAM, ADAM))
    game = init_game(jax.random.key(5), model, ADAM, ADAM)
    infos = [update(game, jax.random.key(i), X)[1] for i in range(2)]
    for info in infos:
        np.testing.assert_array_equal(info["critic_z"], info["generator_z"])
        assert info["critic_z"].shape == (6, 3)
    assert not np.array_equal(infos[0]["critic_z"], infos[1]["critic_z"])


class NoisyCritic(nn.Module):
    """Dropout in training alone."""

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.Dropout(0.5, deterministic=not train)(nn.relu(nn.Dense(16)(x)))
        return nn.Dense(1)(x)[:, 0]


class NoisyGenerator(nn.Module):
    @nn.compact
    def __call__(self, z, *, train):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(16)(z))
        return nn.Dense(2)(nn.Dropout(0.5, deterministic=not train)(nn.relu(x)))


class NNXGenerator(nnx.Module):
    """Flax's other API, with a collection of its own."""

    def __init__(self, *, rngs):
        self.hidden = nnx.Linear(3, 16, rngs=rngs)
        self.norm = nnx.BatchNorm(16, rngs=rngs)
        self.out = nnx.Linear(16, 2, rngs=rngs)

    def __call__(self, z, *, train):
        return self.out(nnx.relu(self.norm(self.hidden(z), use_running_average=not train)))


def affine_init(key, z):
    return {"w": 0.1 * jax.random.normal(key, (z.shape[-1], 2)), "b": jnp.zeros(2)}


PLAYERS = {
    "dropout": (NoisyGenerator(), NoisyCritic()),
    "plain functions": ((affine_init, lambda p, z: z @ p["w"] + p["b"]), MLPCritic((16,))),
    "nnx": (bridge.ToLinen(NNXGenerator), MLPCritic((16,))),
}


@pytest.mark.parametrize("players", PLAYERS)
def test_nets_of_any_kind_learn_the_mean_of_the_data(players):
    """Least squares pulls the fakes to N((2, -1), .1): within .4 after 400 steps."""
    model = gan(*PLAYERS[players], latent_size=3, x_shape=(2,))
    update = game_update(
        game_losses(model, GAN_LOSSES["least_squares"]()), ADAM, ADAM, ema_decay=0.98
    )
    target = jnp.array([2.0, -1.0])

    def step(game, key):
        key_x, key_update = jax.random.split(key)
        x = target + 0.1 * jax.random.normal(key_x, (64, 2))
        return update(game, key_update, x)

    @jax.jit
    def train(key):
        key_init, key_steps = jax.random.split(key)
        game = init_game(key_init, model, ADAM, ADAM, ema=True)
        return jax.lax.scan(step, game, jax.random.split(key_steps, 400))

    game, infos = train(jax.random.key(3))
    assert bool(infos["all_finite"].all())
    z = model.sample_latent(jax.random.key(4), 512)
    fakes, _ = model.generate(game.generator.averaged, z, train=False)
    assert np.linalg.norm(fakes.mean(axis=0) - target) < 0.4
    if players != "plain functions":
        assert set(game.generator.mutable) == {"batch_stats"}


def test_noise_inside_the_nets_is_other_for_each_pass_and_each_key(key):
    """The players' dropout draws from the key: other values under another, the same under it."""
    model = gan(*PLAYERS["dropout"], latent_size=3, x_shape=(2,))
    generator, critic = model.init(key)
    losses = game_losses(model, non_saturating())
    critic_loss = jax.jit(losses.critic)
    values = [float(critic_loss(critic, (X, X), jax.random.key(i), BATCH)[0]) for i in (0, 0, 1)]
    assert values[0] == values[1] != values[2]
    _, _, info = critic_loss(critic, (X, X), jax.random.key(0), BATCH)
    assert info["of_reals"] != info["of_fakes"], "two passes under one mask"
    sides = [losses.sides(generator, jax.random.key(i), BATCH)[1] for i in (0, 1)]
    assert not np.array_equal(*sides)


def test_a_penalty_without_weight_is_refused():
    model = gan(MLPGenerator((4,), (2,)), MLPCritic((4,)), latent_size=2, x_shape=(2,))
    with pytest.raises(ValueError, match="penalty_weight: got None"):
        game_losses(model, non_saturating(), penalty=r1_penalty)
    for weight in (-1.0, np.float32(-1.0), float("nan")):
        with pytest.raises(ValueError, match=r"penalty_weight: got (-1.0|nan), expected a nu"):
            game_losses(model, non_saturating(), penalty=r1_penalty, penalty_weight=weight)
    losses = game_losses(model, non_saturating(), penalty=r1_penalty, penalty_weight=lazy)
    _, critic = jax.eval_shape(model.init, jax.random.key(0))
    with pytest.raises(ValueError, match=r"got .*lazy.*, whose value is a function"):
        jax.eval_shape(losses.critic, critic, (X, X), jax.random.key(0), BATCH)


@pytest.mark.parametrize("name", [*PENALTIES, "output"])
def test_integers_of_a_side_are_conditions(name, key):
    """No slope, no point between, no noise: the value is that of x alone, to the bit."""
    penalty = {**PENALTIES, "output": output_penalty}[name]
    weights = jnp.array([[1.0, -2.0], [0.5, 3.0]])

    def critic(side):
        return jnp.sum(jnp.sin(weights[side["y"]] * side["x"])) + side["flag"]

    y, flag = jnp.int32(1), jnp.bool_(True)
    sides = [{"flag": flag, "x": x, "y": y} for x in X[:2]]
    value = penalty(jax.random.clone(key), critic, *sides)
    alone = penalty(key, lambda x: critic({"flag": flag, "x": x, "y": y}), *X[:2])
    np.testing.assert_array_equal(value, alone)
    other = penalty(jax.random.key(0), critic, *({**side, "y": jnp.int32(0)} for side in sides))
    assert abs(other - value) > 1e-3, "the class is seen"
    if name != "output":
        with pytest.raises(ValueError, match="side: got arrays of int32, expected floats, too"):
            penalty(jax.random.key(0), lambda side: side, y, y)


@pytest.mark.parametrize("look", [False, True])
def test_a_batch_with_labels_is_looked_at_or_not(look, key):
    model = conditional_gan(
        labeled(MLPGenerator((), (2,)), 3), labeled(MLPCritic((4,), minibatch_stddev=look), 3),
        num_classes=3, latent_size=3, x_shape=(2,),
    )  # fmt: skip
    _, critic = model.init(key)
    labels = jnp.array([0, 1, 2, 2, 1, 0])
    one = one_sample_critic(model.criticize, critic)
    slope = jax.jit(jax.vmap(lambda x, y: jax.grad(lambda x: one((x, y)))(x)))
    if look:
        with pytest.raises(ValueError, match="critic: got one whose output of a sample depends"):
            slope(X, labels)
    else:
        whole = jax.grad(lambda x: model.criticize(critic, (x, labels), train=False)[0].sum())(X)
        np.testing.assert_allclose(slope(X, labels), whole, rtol=1e-5)

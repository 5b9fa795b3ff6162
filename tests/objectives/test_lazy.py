"""A penalty of every k-th step: the plain one in the mean, in fewer passes, and on resuming."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.models import gan
from jaxgen.nets import MLPCritic, MLPGenerator
from jaxgen.objectives import game_losses, lazy, non_saturating, r1_penalty
from jaxgen.train import game_update, init_game, restore, save

X = jax.random.normal(jax.random.key(0), (8, 2))
MODEL = gan(MLPGenerator((4,), (2,)), MLPCritic((4,)), latent_size=3, x_shape=(2,))
ADAM = optax.adam(1e-2)


def test_weights_over_k_steps_are_in_the_mean_that_of_every_step():
    at = lazy(5.0, every=4)
    np.testing.assert_array_equal([at(step) for step in range(9)], [20, 0, 0, 0, 20, 0, 0, 0, 20])
    schedule = optax.linear_schedule(0.0, 8.0, 8)
    np.testing.assert_allclose([lazy(schedule, every=2)(s) for s in range(4)], [0, 0, 4, 0])
    np.testing.assert_array_equal([lazy(5.0, every=1)(step) for step in range(3)], 5.0)
    assert at == lazy(5.0, every=4) != lazy(5.0)
    assert repr(at) == "lazy(5.0, every=4)"
    with pytest.raises(ValueError, match="every: got 0, expected an integer >= 1"):
        lazy(1.0, every=0)


def test_gradients_over_k_steps_are_in_the_mean_those_of_the_plain_penalty(key):
    """At one critic, batch and key, the 4 gradients of lazy steps average to the plain one."""
    generator, critic = MODEL.init(key)

    def gradient(weight, step):
        losses = game_losses(MODEL, non_saturating(), penalty=r1_penalty, penalty_weight=weight)
        batch = losses.draw(jax.random.key(1), X)
        sides = losses.sides(generator, jax.random.key(2), batch)
        loss = lambda own: losses.critic(own, sides, jax.random.key(3), batch, step=step)[0]  # noqa: E731
        return jax.grad(loss)(critic)

    lazily = jax.jit(lambda step: gradient(lazy(5.0, every=4), step))
    steps = [lazily(step) for step in range(4)]
    mean = jax.tree.map(lambda *each: sum(each) / 4, *steps)
    chex.assert_trees_all_close(mean, jax.jit(lambda: gradient(5.0, 0))(), rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_equal(steps[1], steps[2])
    chex.assert_trees_all_close(steps[1], jax.jit(lambda: gradient(0.0, 0))(), rtol=1e-5, atol=1e-7)


def penalized(every):
    """An update whose penalty says aloud when it runs, and the list of its cries."""
    heard = []

    def penalty(key, critic, real, fake):
        jax.debug.callback(lambda _: heard.append(1), real[0])
        return r1_penalty(key, critic, real, fake)

    losses = game_losses(
        MODEL, non_saturating(), penalty=penalty, penalty_weight=lazy(5.0, every=every)
    )
    return game_update(losses, ADAM, ADAM), heard


def steps(update, game, keys):
    def step(game, key):
        return update(game, key, X)

    return jax.lax.scan(step, game, keys)


def test_between_the_steps_nothing_is_computed():
    game = init_game(jax.random.key(0), MODEL, ADAM, ADAM)
    keys = jax.random.split(jax.random.key(1), 8)
    counts = []
    for every in (1, 4):
        update, heard = penalized(every)
        _, infos = jax.jit(lambda game, keys, update=update: steps(update, game, keys))(
            game, jax.random.clone(keys)
        )
        jax.effects_barrier()
        counts.append(len(heard))
    assert counts[0] == 4 * counts[1] > 0
    assert list(np.flatnonzero(infos["critic_penalty"])) == [0, 4]


def test_a_resumed_training_goes_on_between_two_penalties(tmp_path):
    losses = game_losses(
        MODEL, non_saturating(), penalty=r1_penalty, penalty_weight=lazy(5.0, every=4)
    )
    update = game_update(losses, ADAM, ADAM)
    run = jax.jit(lambda game, keys: steps(update, game, keys)[0])
    early, late = jax.random.split(jax.random.key(1), 12).reshape(2, 6)
    start = init_game(jax.random.key(0), MODEL, ADAM, ADAM)
    middle = run(start, early)
    whole = run(middle, late)
    save(tmp_path, 6, middle)
    _, resumed = restore(tmp_path, jax.eval_shape(lambda: start))
    chex.assert_trees_all_equal(run(resumed, jax.random.clone(late)), whole)
    # The twin that counts anew from where it was resumed.
    anew = resumed.replace(critic=resumed.critic.replace(
        train=resumed.critic.train.replace(step=jnp.zeros((), jnp.int32))
    ))  # fmt: skip
    other = run(anew, jax.random.clone(late))
    leaves = [jax.tree.leaves(game.critic.train.params) for game in (other, whole)]
    assert any(not np.array_equal(*pair) for pair in zip(*leaves, strict=True))

"""Who moves when: the orders of a game, against the same games played by hand in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from two_numbers import (
    LR_C,
    LR_G,
    adam_by_hand,
    critic_loss,
    generator_loss,
    gradients,
    two_numbers,
    values,
)

from jaxgen.train import (
    Game,
    alternating_step,
    critic_first,
    extragradient,
    generator_first,
    init_player,
    scan_draws,
    simultaneous,
)


def play(g, c, batches, *, order, critic_steps=1):
    """The same game by hand: plain descent of both."""
    for batch in batches:
        hands = [batch[i::critic_steps].mean() for i in range(critic_steps)]
        if order == "generator_first":
            g = g - LR_G * gradients(g, c, hands[-1])[0]
        before = c
        for x in hands:
            c = c - LR_C * gradients(g, c, x)[1]
        if order == "critic_first":
            g = g - LR_G * gradients(g, c, hands[-1])[0]
        if order == "simultaneous":
            g = g - LR_G * gradients(g, before, hands[-1])[0]
    return g, c


@pytest.fixture(scope="module")
def batches():
    return np.random.default_rng(0).normal(1, 1, size=(5, 6)).astype(np.float32)


@pytest.mark.parametrize("critic_steps", [1, 3])
@pytest.mark.parametrize("order", [critic_first, generator_first, simultaneous])
def test_games_are_those_played_by_hand(batches, order, critic_steps):
    update = alternating_step(
        generator_loss,
        critic_loss,
        optax.sgd(LR_G),
        optax.sgd(LR_C),
        critic_steps=critic_steps,
        order=order,
    )
    expected = play(0.7, -0.4, batches, order=order.__name__, critic_steps=critic_steps)
    epoch = jax.jit(lambda game, steps: jax.lax.scan(lambda s, x: update(s, *x), game, steps))
    game, infos = epoch(
        two_numbers(), (jax.random.split(jax.random.key(0), 5), jnp.asarray(batches))
    )
    np.testing.assert_allclose(values(game), expected, rtol=1e-5)
    assert int(game.critic.train.step) == critic_steps * int(game.generator.train.step)
    assert set(infos) == {
        *(f"generator_{name}" for name in ("loss", "grad_norm", "seen")),
        *("critic_loss", "critic_grad_norm", "all_finite"),
    }
    # The generator's loss sees the last hand dealt.
    seen = batches[:, critic_steps - 1 :: critic_steps].mean(axis=1)
    np.testing.assert_allclose(infos["generator_seen"], seen, rtol=1e-6)
    others = {
        values_by_hand
        for name in ("critic_first", "generator_first", "simultaneous")
        if (values_by_hand := play(0.7, -0.4, batches, order=name, critic_steps=critic_steps))
    }
    assert len(others) == 3, "the orders cannot be told apart here"


def product(sign):
    """Of the bilinear game min_g max_c g c."""

    def loss(own, other, key, batch):
        return sign * own["params"] * other["params"], {}, {}

    return loss


BILINEAR = 0.3
RATES = {
    "plain": np.sqrt(1 + BILINEAR**2),
    "optimistic": np.sqrt((1 + np.sqrt(1 - 4 * BILINEAR**2)) / 2),
    "extragradient": np.sqrt(1 - BILINEAR**2 + BILINEAR**4),
}
"""|(g, c)| after a step over before: the largest modulus of the iteration's matrix. The field is
A z with A² = -I, so these are I - lr A, the roots of r² - (1 - 2i lr) r - i lr, and
(1 - lr²) I - lr A."""
MAKERS = {"optimistic": optax.optimistic_gradient_descent}


@pytest.mark.parametrize("name", RATES)
def test_optimism_and_extragradient_shrink_the_game_that_plain_descent_spirals_out_of(name):
    optimizer = MAKERS.get(name, optax.sgd)(BILINEAR)
    order = extragradient if name == "extragradient" else simultaneous
    update = alternating_step(product(1.0), product(-1.0), optimizer, optimizer, order=order)

    def tracked(game, key, batch):
        game, _ = update(game, key, batch)
        return game, {"radius": jnp.hypot(game.generator.train.params, game.critic.train.params)}

    epoch = jax.jit(scan_draws(tracked, jax.random.uniform, 80))
    game, infos = epoch(two_numbers(1.0, 1.0, (optimizer, optimizer)), jax.random.key(0))
    rate = (infos["radius"][-1] / infos["radius"][39]) ** (1 / 40)  # optimism's other root is gone
    np.testing.assert_allclose(rate, RATES[name], rtol=1e-3)
    assert (RATES[name] < 1) == (name != "plain")
    assert int(game.generator.train.step) == int(game.critic.train.step) == 80


def test_optimistic_adam_settles_unless_its_momentum_undoes_it():
    radius = {}
    for name, make, b1 in (
        ("plain", optax.adam, 0.0),
        ("optimistic", optax.optimistic_adam_v2, 0.0),
        ("with momentum", optax.optimistic_adam_v2, 0.9),
    ):
        optimizer = make(0.02, b1=b1)
        update = alternating_step(
            product(1.0), product(-1.0), optimizer, optimizer, order=simultaneous
        )
        epoch = jax.jit(scan_draws(update, jax.random.uniform, 3000))
        game, _ = epoch(two_numbers(1.0, 1.0, (optimizer, optimizer)), jax.random.key(0))
        radius[name] = np.hypot(*values(game))
    assert radius["optimistic"] < 0.05
    assert min(radius["plain"], radius["with momentum"]) > 1.2


def test_extragradient_is_the_one_by_hand_with_adams_state_average_and_statistics():
    """The game of two numbers; Adam's moments are moved by both gradients, all else once."""
    adam = optax.adam(LR_C, b1=0.5, eps_root=1e-16)

    def counting(own, other, key, batch):
        value, _, info = critic_loss(own, other, key, batch)
        return value, {"passes": own["passes"] + 1}, {**info, "at": own["params"]}

    update = alternating_step(
        generator_loss, counting, optax.sgd(LR_G), adam, order=extragradient, ema_decay=0.9
    )
    variables = {"params": jnp.float32(-0.4), "passes": jnp.int32(0)}
    start = two_numbers(ema=True)
    game = Game(generator=start.generator, critic=init_player(variables, adam))
    g, c, x, state = 0.7, -0.4, 1.3, (0, 0.0, 0.0)
    for i in range(2):
        game, info = jax.jit(update)(game, jax.random.key(i), jnp.full(4, x, jnp.float32))
        half_g = g - LR_G * gradients(g, c, x)[0]
        half_c, state = adam_by_hand(c, g, x, state, 1)
        np.testing.assert_allclose(info["critic_at"], half_c, rtol=1e-4)
        # Adam's step from half_c, but applied to c.
        moved, state = adam_by_hand(half_c, half_g, x, state, 1)
        g, c = g - LR_G * gradients(half_g, half_c, x)[0], c + moved - half_c
        np.testing.assert_allclose(values(game), (g, c), rtol=1e-4)
    assert int(game.critic.mutable["passes"]) == int(game.critic.train.step) == 2
    assert int(game.generator.train.step) == 2
    assert float(game.generator.train.ema) != float(game.generator.train.params)

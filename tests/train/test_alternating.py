"""The two players' update, against the same games played by hand in NumPy."""

import flax.linen as nn
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
    two_numbers,
    values,
)

from jaxgen.models import gan
from jaxgen.objectives import minimax, wasserstein, zero_sum
from jaxgen.train import (
    Game,
    alternating_step,
    clip_weights,
    extragradient,
    init_game,
    init_player,
    restore,
    save,
    scan_draws,
    scan_epoch,
    simultaneous,
)


def viewed_critic_loss(own, generator_params, key, batch):
    return critic_loss(own, {"params": generator_params}, key, batch)


SEEN = {
    "the player": (critic_loss, None),
    "its sides": (viewed_critic_loss, lambda generator, key, batch: generator["params"]),
}


@pytest.mark.parametrize(
    ("unroll", "seen"), [(0, "its sides"), (1, "the player"), (4, "its sides")]
)
def test_the_unrolled_gradient_is_that_of_the_critics_answer(unroll, seen):
    """Two steps with Adam's state carried along, against central differences in float64."""
    adam = optax.adam(LR_C, b1=0.5, eps_root=1e-16)
    loss_of_critic, sides = SEEN[seen]
    update = jax.jit(
        alternating_step(
            generator_loss,
            loss_of_critic,
            optax.sgd(LR_G),
            adam,
            unroll=unroll,
            sides=sides,
        )
    )
    game = two_numbers(optimizers=(optax.sgd(LR_G), adam))
    g, c, state = 0.7, -0.4, (0, 0.0, 0.0)
    x = 1.3
    for i in range(2):
        game, info = update(game, jax.random.key(i), jnp.full(4, x, jnp.float32))
        c, state = adam_by_hand(c, g, x, state, 1)

        def loss(g, c=c, state=state):
            answer, _ = adam_by_hand(c, g, x, state, unroll)
            return g * answer * x + 0.5 * g**2

        slope = (loss(g + 1e-6) - loss(g - 1e-6)) / 2e-6
        np.testing.assert_allclose(info["generator_loss"], loss(g), rtol=1e-3)
        np.testing.assert_allclose(info["generator_grad_norm"], abs(slope), rtol=2e-3)
        fixed = adam_by_hand(c, g, x, state, unroll)[0] * x + g
        g = g - LR_G * slope
    assert (abs(slope - fixed) > 0.05 * abs(slope)) == bool(unroll), "the answer hardly moves"
    np.testing.assert_allclose(values(game), (g, c), rtol=1e-3)
    # Looking ahead leaves no trace in the critic.
    assert int(game.critic.train.step) == 2


def linear_game(loss):
    """Data at x, fakes at t, the critic's output f of y is f y; both losses of the pair (f x, f t).

    Under a Wasserstein critic's k steps of descent f becomes f + k lr (x - t), so that the value
    f (x - t) becomes V(t) = f (x - t) + k lr (x - t)², and dV/dt = -f - 2 k lr (x - t).
    """

    def of_generator(own, other, key, batch):
        t, f, x = own["params"], other["params"], batch.mean()
        return loss.generator(f * x, f * t), {}, {}

    def of_critic(own, other, key, batch):
        t, f, x = other["params"], own["params"], batch.mean()
        return loss.critic(f * x, f * t), {}, {}

    return of_generator, of_critic


@pytest.mark.parametrize("whole", [True, False])
def test_the_unrolled_generator_descends_the_whole_value_under_a_zero_sum_loss(whole):
    """Closed form; the twin that keeps the fake's term alone is off by k lr x."""
    steps, t, f, x = 3, 0.7, -0.4, 1.3
    loss = zero_sum(wasserstein()) if whole else wasserstein()
    update = alternating_step(
        *linear_game(loss), optax.sgd(1.0), optax.sgd(LR_C), order=simultaneous, unroll=steps
    )
    game, _ = update(two_numbers(t, f), jax.random.key(0), jnp.full(4, x, jnp.float32))
    slope = -f - 2 * steps * LR_C * (x - t)
    found = t - values(game)[0]
    assert np.isclose(found, slope, rtol=1e-5) == whole
    missing = 0.0 if whole else steps * LR_C * x
    np.testing.assert_allclose(found, slope + missing, rtol=1e-5)


def test_the_whole_value_of_an_unrolled_minimax_game_is_descended():
    """Against central differences of V(t, f_k(t)), the steps of f written out in float64."""
    steps, t, f, x = 5, 0.7, -0.4, 1.3

    def value(t):
        answer = f
        for _ in range(steps):  # sigmoids are the slopes of the softplus terms
            real, fake = answer * x, answer * t
            answer -= LR_C * (-x / (1 + np.exp(real)) + t / (1 + np.exp(-fake)))
        return -np.logaddexp(0, -answer * x) - np.logaddexp(0, answer * t)

    slope = (value(t + 1e-6) - value(t - 1e-6)) / 2e-6
    found = {}
    for name, loss in (("whole", zero_sum(minimax())), ("fake only", minimax())):
        update = alternating_step(
            *linear_game(loss), optax.sgd(1.0), optax.sgd(LR_C), order=simultaneous, unroll=steps
        )
        game, info = update(two_numbers(t, f), jax.random.key(0), jnp.full(4, x, jnp.float32))
        found[name] = t - values(game)[0]
        if name == "whole":
            np.testing.assert_allclose(info["generator_loss"], value(t), rtol=1e-5)
    np.testing.assert_allclose(found["whole"], slope, rtol=1e-4)
    assert abs(found["fake only"] / slope - 1) > 0.1


def test_a_dead_unit_needs_the_root_kept_from_zero():
    def dead(own, other, key, batch):  # a critic whose second unit never fires
        alive, unit = own["params"]
        return alive**2 * other["params"] + 0.0 * unit * other["params"], {}, {}

    def answer(own, other, key, batch):
        return own["params"] * other["params"].sum(), {}, {}

    finite = []
    for eps_root in (0.0, 1e-16):
        adam = optax.adam(0.1, eps_root=eps_root)
        update = alternating_step(answer, dead, optax.sgd(0.1), adam, unroll=2)
        game = Game(
            generator=init_player({"params": jnp.float32(0.5)}, optax.sgd(0.1)),
            critic=init_player({"params": jnp.ones(2)}, adam),
        )
        finite.append(bool(update(game, jax.random.key(0), jnp.ones(2))[1]["all_finite"]))
    assert finite == [False, True]


class Net(nn.Module):
    """Both players: a hidden layer under batch normalization."""

    outputs: int

    @nn.compact
    def __call__(self, x):
        # No biases: normalized away, they have no gradient but rounding, which Adam would blow up.
        x = nn.BatchNorm(use_running_average=False, momentum=0.9)(nn.Dense(4, use_bias=False)(x))
        return nn.Dense(self.outputs, use_bias=False)(nn.relu(x))


GENERATOR, CRITIC = Net(3), Net(1)
ADAM_G, ADAM_C = optax.adam(1e-2, b1=0.5), optax.adam(2e-2, b1=0.5)


def net_generator_loss(own, critic, key, batch):
    fake, changed = GENERATOR.apply(own, jax.random.normal(key, (8, 2)), mutable=["batch_stats"])
    logits, _ = CRITIC.apply(critic, fake, mutable=["batch_stats"])
    return jnp.mean(jax.nn.softplus(-logits)), changed, {}


def net_critic_loss(own, generator, key, batch):
    noise = jax.random.normal(key, (8, 2))
    fake, _ = GENERATOR.apply(generator, noise, mutable=["batch_stats"])
    real_logits, changed = CRITIC.apply(own, batch, mutable=["batch_stats"])
    fake_logits, changed = CRITIC.apply({**own, **changed}, fake, mutable=["batch_stats"])
    return jnp.mean(jax.nn.softplus(-real_logits) + jax.nn.softplus(fake_logits)), changed, {}


UPDATE = alternating_step(
    net_generator_loss, net_critic_loss, ADAM_G, ADAM_C, critic_steps=2, ema_decay=0.9
)
EPOCH = jax.jit(scan_epoch(UPDATE, 16))
DATA = jax.random.normal(jax.random.key(9), (64, 3))


@jax.jit
def nets(seed):
    keys = jax.random.split(jax.random.key(seed))
    return Game(
        generator=init_player(GENERATOR.init(keys[0], jnp.ones((2, 2))), ADAM_G, ema=True),
        critic=init_player(CRITIC.init(keys[1], jnp.ones((2, 3))), ADAM_C),
    )


def raw(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def test_each_changes_its_own_collections_alone():
    """Passes are counted: each player's by its own loss, looking ahead leaves none behind."""

    def counting(loss):
        def counted(own, other, key, batch):
            value, _, info = loss(own, other, key, batch)
            changed = {name: tree for name, tree in own.items() if name != "params"}
            return value, {**changed, "passes": own["passes"] + 1}, info

        return counted

    def player(name):
        variables = {"params": jnp.float32(0.5), "passes": jnp.int32(0), name: jnp.ones(2)}
        return init_player(variables, optax.sgd(0.1))

    update = alternating_step(
        counting(generator_loss),
        counting(critic_loss),
        optax.sgd(0.1),
        optax.sgd(0.1),
        critic_steps=3,
        unroll=2,
    )
    game = Game(generator=player("kept"), critic=player("pool"))
    game, _ = jax.jit(update)(game, jax.random.key(0), jnp.ones(6))
    assert (int(game.generator.mutable["passes"]), int(game.critic.mutable["passes"])) == (1, 3)
    np.testing.assert_array_equal(game.generator.mutable["kept"], [1.0, 1.0])
    np.testing.assert_array_equal(game.critic.variables["pool"], [1.0, 1.0])


def test_the_average_of_the_generators_params_comes_with_that_of_its_statistics():
    game, seen = nets(0), []
    update = jax.jit(UPDATE)
    for i in range(3):
        game, _ = update(game, jax.random.key(i), DATA[:16])
        seen.append(raw(game.generator.variables))
    weights = 0.9 ** np.arange(2, -1, -1.0)
    averaged = game.generator.averaged
    assert jax.tree.structure(averaged) == jax.tree.structure(game.generator.variables)
    for i, leaf in enumerate(raw(averaged)):
        expected = np.average([leaves[i] for leaves in seen], axis=0, weights=weights)
        np.testing.assert_allclose(leaf, expected, rtol=1e-4, atol=1e-6)
        if leaf.size > 3:
            assert np.abs(leaf - seen[-1][i]).max() > 1e-4, "the average is the last"
    assert game.critic.averaged["params"] is game.critic.train.params


def test_of_a_collection_that_is_no_float_the_average_keeps_the_last():
    def counting(own, other, key, batch):
        value, _, info = generator_loss(own, other, key, batch)
        return value, {"passes": own["passes"] + 1, "mean": own["mean"] + 1}, info

    sgd = optax.sgd(0.1)
    variables = {"params": jnp.float32(0.5), "passes": jnp.int32(0), "mean": jnp.bfloat16(0.0)}
    game = two_numbers().replace(generator=init_player(variables, sgd, ema=True))
    update = jax.jit(alternating_step(counting, critic_loss, sgd, sgd, ema_decay=0.5))
    for i in range(3):
        game, _ = update(game, jax.random.key(i), jnp.ones(2))
    assert int(game.generator.averaged["passes"]) == 3
    assert game.generator.averaged["mean"].dtype == jnp.float32
    np.testing.assert_allclose(game.generator.averaged["mean"], (1 + 2 * 2 + 4 * 3) / 7, rtol=1e-6)


def test_resumed_to_the_bit(tmp_path):
    game, _ = EPOCH(nets(0), jax.random.key(0), DATA)
    save(tmp_path, 1, game)
    _, restored = restore(tmp_path, jax.eval_shape(lambda: nets(0)))
    on, _ = EPOCH(game, jax.random.key(1), DATA)
    resumed, _ = EPOCH(restored, jax.random.key(1), DATA)
    assert jax.tree.structure(on) == jax.tree.structure(resumed)
    for a, b in zip(raw(on), raw(resumed), strict=True):
        assert a.tobytes() == b.tobytes()


def test_many_seeds_in_one_program_are_the_games_one_by_one():
    games = jax.vmap(nets)(jnp.arange(3))
    keys = jax.random.split(jax.random.key(4), 3)
    epochs = jax.jit(jax.vmap(scan_epoch(UPDATE, 16), (0, 0, None)))
    together, infos = epochs(games, jax.random.clone(keys), DATA)
    assert infos["critic_loss"].shape == (3, 4)
    for i in range(3):
        alone, _ = EPOCH(nets(i), keys[i], DATA)
        for a, b in zip(raw(alone), raw(together), strict=True):
            np.testing.assert_allclose(a, b[i], rtol=1e-4, atol=2e-5)


def test_a_donated_game_takes_nothing_else_with_it():
    variables = GENERATOR.init(jax.random.key(0), jnp.ones((2, 2)))
    game = nets(0)
    game = Game(generator=init_player(variables, ADAM_G, ema=True), critic=game.critic)
    after, _ = jax.jit(UPDATE, donate_argnums=0)(game, jax.random.key(1), DATA[:16])
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(game))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((variables, after)))


@pytest.mark.parametrize("player", ["generator", "critic"])
def test_a_step_of_either_that_is_not_finite_is_told(player):
    def poisoned(loss):
        return lambda *args: ((v := loss(*args))[0] / 0.0, *v[1:])

    losses = {"generator": generator_loss, "critic": critic_loss}
    losses[player] = poisoned(losses[player])
    update = alternating_step(
        losses["generator"], losses["critic"], optax.sgd(0.1), optax.sgd(0.1), critic_steps=2
    )
    _, info = update(two_numbers(), jax.random.key(0), jnp.ones(4))
    assert not bool(info["all_finite"])


def test_clipped_weights_stay_in_the_box():
    optimizer = optax.chain(optax.sgd(1.0), clip_weights(0.1))
    params = {"w": jnp.array([0.05, -0.05, 0.0])}
    updates, _ = optimizer.update(
        {"w": jnp.array([-1.0, 1.0, 0.03])}, optimizer.init(params), params
    )
    np.testing.assert_allclose(
        optax.apply_updates(params, updates)["w"], [0.1, -0.1, -0.03], atol=1e-7
    )
    with pytest.raises(ValueError, match=r"bound: got 0\.0, expected a positive number"):
        clip_weights(0.0)


def test_fresh_draws_each_step():
    def update(state, key, batch):
        return state + 1, {"batch": batch, "key": jax.random.uniform(key)}

    epoch = jax.jit(scan_draws(update, lambda key: jax.random.uniform(key, (3,)), 5))
    steps, infos = epoch(jnp.int32(0), jax.random.key(0))
    assert int(steps) == 5
    assert len(np.unique(infos["batch"])) == 15
    assert len(np.unique([*np.ravel(infos["batch"]), *infos["key"]])) == 20
    with pytest.raises(ValueError, match="num_steps: got 0, expected an integer >= 1"):
        scan_draws(update, jax.random.uniform, 0)


def test_each_players_loss_may_see_its_own_step_looking_ahead_too():
    def seeing(loss):
        def seen(own, other, key, batch, *, step):
            value, changed, _ = loss(own, other, key, batch)
            return value + step * jnp.sum(own["params"]), changed, {"step": step}

        return seen

    sgd = optax.sgd(0.1)
    update = jax.jit(
        alternating_step(
            seeing(generator_loss), seeing(critic_loss), sgd, sgd, critic_steps=2, unroll=2
        )
    )
    game, steps = two_numbers(), []
    for i in range(2):
        before = values(game)
        game, info = update(game, jax.random.key(i), jnp.ones(2))
        steps.append((int(info["generator_step"]), int(info["critic_step"])))
    assert steps == [(0, 1), (1, 3)]
    # The critic's third and fourth updates, the steps 2 and 3, and the generator's foresight of 4
    # and 5, written out.
    (g, c), rate = before, 0.1
    for step in (2, 3):
        c -= rate * (c - g + np.cos(c) + step)
    assert np.isclose(values(game)[1], c, rtol=1e-5)

    def foreseen(g, c=c):
        for step in (4, 5):
            c = c - rate * (c - g + np.cos(c) + step)
        return g * c + 0.5 * g**2 + g  # the generator's step is 1

    slope = (foreseen(g + 1e-6) - foreseen(g - 1e-6)) / 2e-6
    np.testing.assert_allclose(values(game)[0], g - rate * slope, rtol=1e-4)


def test_misuse_is_named():
    sgd = optax.sgd(0.1)
    with pytest.raises(ValueError, match="critic_steps: got 0, expected an integer >= 1"):
        alternating_step(generator_loss, critic_loss, sgd, sgd, critic_steps=0)
    with pytest.raises(ValueError, match="unroll: got -1, expected an integer >= 0"):
        alternating_step(generator_loss, critic_loss, sgd, sgd, unroll=-1)
    with pytest.raises(ValueError, match=r"ema_decay: got 1\.5, expected a number between"):
        alternating_step(generator_loss, critic_loss, sgd, sgd, ema_decay=1.5)
    update = alternating_step(generator_loss, critic_loss, sgd, sgd, critic_steps=4)
    with pytest.raises(ValueError, match=r"batch: got .* \(6,\).* divisible by critic_steps=4"):
        update(two_numbers(), jax.random.key(0), jnp.ones(6))

    update = alternating_step(
        generator_loss, critic_loss, sgd, sgd, critic_steps=2, order=extragradient
    )
    with pytest.raises(ValueError, match="critic_steps: got 2, expected 1 for an order"):
        update(two_numbers(), jax.random.key(0), jnp.ones(6))

    def meddling(own, other, key, batch):
        return own["params"] * other["params"], {"batch_stats": 0.0}, {}

    update = alternating_step(meddling, critic_loss, sgd, sgd)
    with pytest.raises(ValueError, match=r"changes of batch_stats, .* \(it has none\)"):
        update(two_numbers(), jax.random.key(0), jnp.ones(6))
    # One left out, as where a net's running statistics are thrown away.
    update = alternating_step(generator_loss, critic_loss, sgd, sgd)
    game = two_numbers()
    game = game.replace(critic=game.critic.replace(mutable={"batch_stats": jnp.zeros(())}))
    with pytest.raises(ValueError, match=r"changes of no collection, expected .* \(batch_stats\)"):
        update(game, jax.random.key(0), jnp.ones(6))

    def per_datapoint(own, other, key, batch):
        return own["params"] * batch, {}, {}

    update = alternating_step(generator_loss, per_datapoint, sgd, sgd)
    with pytest.raises(ValueError, match=r"loss: got shape \(6,\), expected one number"):
        update(two_numbers(), jax.random.key(0), jnp.ones(6))
    with pytest.raises(ValueError, match=r"variables: got the collections \['w'\]"):
        init_player({"w": jnp.ones(2)}, sgd)
    with pytest.raises(ValueError, match=r"model: got <function gan at .*, expected what"):
        init_game(jax.random.key(0), gan, sgd, sgd)


def test_an_earlier_critic_step_that_is_not_finite_is_told():
    skipping, plain = optax.apply_if_finite(optax.sgd(LR_C), 5), optax.sgd(LR_G)
    update = alternating_step(generator_loss, critic_loss, plain, skipping, critic_steps=2)
    game = two_numbers(optimizers=(plain, skipping))
    game, info = update(game, jax.random.key(0), jnp.array([jnp.nan, 1.0]))
    assert np.isfinite(values(game)).all()
    assert not info["all_finite"]

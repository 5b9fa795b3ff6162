"""Games of half and double precision: losses in float32 at least, params of the type they had."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.models import bigan, conditional_gan, cyclegan, standard_normal
from jaxgen.objectives import cycle_losses, game_losses, least_squares, swapped
from jaxgen.train import Game, data_mesh, game_update, image_pool, init_player, simultaneous

RNG = np.random.default_rng(0)
SEEDED = RNG.bit_generator.state
HALF, SINGLE, DOUBLE = jnp.bfloat16, jnp.float32, jnp.float64


def numbers(*shape):
    """Such as every type holds exactly."""
    return np.asarray(RNG.integers(-8, 9, shape) / 8)


LABELS = np.arange(8, dtype=np.int32) % 3
X, Y = numbers(8, 2, 2, 1), numbers(8, 2, 2, 1)


def curve(dtype, columns=None):
    """A net in `dtype`: the entries of its inputs, their squares and one, times its param."""

    def apply(v, inputs):
        flat = [jnp.reshape(x, (len(x), -1)).astype(dtype) for x in jax.tree.leaves(inputs)]
        x = jnp.concatenate(flat, axis=1)
        y = jnp.concatenate([x, x**2, jnp.ones_like(x[:, :1])], axis=1) @ v.astype(dtype)
        return y[:, 0] if columns is None else y

    def init(key, inputs):
        entries = sum(np.size(x) // len(x) for x in jax.tree.leaves(inputs))
        return jnp.asarray(numbers(2 * entries + 1, columns or 1) / 4)

    return init, apply


def images(net):
    init, apply = net
    return init, lambda v, x: apply(v, x).reshape(-1, 2, 2, 1)


def of_class(net):
    init, apply = net
    return tuple(
        lambda first, inputs, f=f: f(first, (inputs[0], jnp.eye(3)[inputs[1]]))
        for f in (init, apply)
    )


def cycle(dtype):
    to, judge = images(curve(dtype, 4)), curve(dtype)
    model = cyclegan(to, to, judge, judge, x_shape=(2, 2, 1), y_shape=(2, 2, 1), pool=image_pool(3))
    return model, cycle_losses(model), (X, Y)


def encoded(dtype):
    model = bigan(
        images(curve(dtype, 4)), curve(dtype, 2), curve(dtype), prior=standard_normal(2),
        x_shape=(2, 2, 1),
    )  # fmt: skip
    return model, game_losses(model, swapped(least_squares())), X


def conditional(dtype):
    model = conditional_gan(
        of_class(images(curve(dtype, 4))), of_class(curve(dtype)), num_classes=3, latent_size=2,
        x_shape=(2, 2, 1),
    )  # fmt: skip
    return model, game_losses(model, least_squares()), (X, LABELS)


SGD = optax.sgd(0.125)


def begin(make, dtype, wide):
    """The game, its losses, a batch and the update; in half precision the critic's params, too."""
    RNG.bit_generator.state = SEEDED
    model, losses, data = make(dtype)
    types = (SINGLE if dtype == HALF else dtype), dtype
    players = [
        init_player({**v, "params": jax.tree.map(lambda p, t=t: p.astype(t), v["params"])}, SGD)
        for v, t in zip(model.init(jax.random.key(0)), types, strict=True)
    ]
    batch = jax.tree.map(lambda x: jnp.asarray(x, wide if x.dtype == float else x.dtype), data)
    return Game(*players), losses, batch


def step(losses, mesh=None):
    return game_update(losses, SGD, SGD, order=simultaneous, mesh=mesh)


def types(tree):
    return jax.tree.map(lambda leaf: leaf.dtype, tree)


def assert_wide(value, info, dtype):
    assert value.dtype == dtype
    for said in info.values():
        assert said.dtype == bool or jnp.promote_types(said.dtype, SINGLE) == said.dtype


def close(found, expected, tolerance):
    def one(a, b):
        a, b = (np.asarray(x, np.float64) for x in (a, b))
        np.testing.assert_allclose(a, b, tolerance, tolerance)

    jax.tree.map(one, *map(jax.device_get, (found, expected)))


GAMES = [cycle, encoded, conditional]


@pytest.mark.parametrize("make", GAMES)
def test_losses_are_wide_and_params_keep_their_type(make):
    """On eight devices and compiled, and called as they are; beside single precision on one."""
    for dtype, wide, tolerance in ((HALF, SINGLE, 3e-2), (DOUBLE, DOUBLE, 1e-5)):
        with jax.enable_x64(dtype == DOUBLE):
            game, losses, batch = begin(make, SINGLE, SINGLE)
            expected, said = jax.jit(step(losses))(game, jax.random.key(1), batch)
            game, losses, batch = begin(make, dtype, wide)
            moved, info = jax.jit(step(losses, data_mesh(8)))(game, jax.random.key(1), batch)
            assert info["all_finite"]
            assert types(moved) == types(game)
            assert_wide(info["generator_loss"], info, wide)
            assert_wide(info["critic_loss"], info, wide)
            for skipped in ("all_finite", "critic_accuracy"):  # of outputs near zero
                info.pop(skipped), said.pop(skipped)
            close(info, said, tolerance)
            for player in ("generator", "critic"):
                params = [getattr(of, player).train.params for of in (moved, expected)]
                close(*params, tolerance)

            draw_key, key = jax.random.split(jax.random.key(1))
            batch = losses.draw(draw_key, batch)
            own, other = game.generator.variables, game.critic.variables
            value, changed, info = losses.generator(own, other, jax.random.clone(key), batch)
            assert_wide(value, info, wide)
            close(value, said["generator_loss"], tolerance)
            sides = losses.sides(own, jax.random.clone(key), batch)
            value, changed, info = losses.critic(other, sides, key, batch)
            assert_wide(value, info, wide)
            assert jnp.isfinite(value)  # a pool draws by the key of its update
            assert types(changed) == types(game.critic.mutable)


def test_a_narrow_term_is_seen():
    game, losses, batch = begin(cycle, HALF, SINGLE)
    own, other = game.generator.variables, game.critic.variables
    value, _, info = losses.generator(own, other, jax.random.key(1), batch)
    for twin in ((value.astype(HALF), info), (value, info | {"cycle": info["cycle"].astype(HALF)})):
        with pytest.raises(AssertionError):
            assert_wide(*twin, SINGLE)

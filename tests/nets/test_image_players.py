"""The players for images: sizes, the players' interface, and each against its layers in NumPy."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.models import gan
from jaxgen.nets import (
    DCGANCritic,
    DCGANGenerator,
    MLPCritic,
    MLPGenerator,
    MLPTranslator,
    ResidualCritic,
    ResidualGenerator,
    as_net,
    dcgan_channels,
)

PLAYERS = {
    "digits": ((8, 8, 1), DCGANGenerator((8, 8, 1), (4, 2)), DCGANCritic((2, 4))),
    "28x28": (
        (28, 28, 1),
        DCGANGenerator((28, 28, 1), (4, 2), batch_norm=False),
        DCGANCritic((2, 4), batch_norm=False, spectral_norm=True, minibatch_stddev=True),
    ),
    "64x32": ((64, 32, 3), DCGANGenerator((64, 32, 3), (2,) * 4), DCGANCritic((2,) * 4)),
    "residual": ((8, 12, 3), ResidualGenerator((8, 12, 3), 4), ResidualCritic(4)),
}


def shapes(tree):
    return jax.tree.map(jnp.shape, tree)


@pytest.mark.parametrize("name", PLAYERS)
def test_a_pair_is_a_game_of_images(name, key):
    x_shape, generator, critic = PLAYERS[name]
    model = gan(generator, critic, latent_size=3, x_shape=x_shape)
    players = jax.eval_shape(model.init, key)
    z = jax.ShapeDtypeStruct((6, 3), jnp.float32)
    for train in (True, False):
        x, changed = jax.eval_shape(
            lambda v, z, train=train: model.generate(v, z, train=train), players[0], z
        )
        outputs, changed_critic = jax.eval_shape(
            lambda v, x, train=train: model.criticize(v, x, train=train), players[1], x
        )
        assert (x.shape, outputs.shape) == ((6, *x_shape), (6,))
        for player, change in zip(players, (changed, changed_critic), strict=True):
            rest = {k: v for k, v in player.items() if k != "params"} if train else {}
            assert shapes(change) == shapes(rest)


def test_dcgans_are_their_layers_in_linen_and_images_are_in_the_unit_interval(key):
    z = jax.random.normal(jax.random.key(1), (5, 3))
    generator, critic = DCGANGenerator((8, 8, 1), (4, 2)), DCGANCritic((2, 4))

    def normalize(x, train):
        axes = (0, 1, 2)
        return (x - x.mean(axes)) / jnp.sqrt(x.var(axes) + 1e-5) if train else x / jnp.sqrt(1.00001)

    @jax.jit
    def both(key):
        generator_key, critic_key = jax.random.split(key)
        of_generator = generator.init(generator_key, z, train=True)
        of_critic = critic.init(critic_key, jnp.zeros((5, 8, 8, 1)), train=True)
        pairs = []
        for train in (True, False):
            x, _ = generator.apply(of_generator, z, train=train, mutable=["batch_stats"])
            p = of_generator["params"]
            h = normalize((z @ p["Dense_0"]["kernel"]).reshape(5, 2, 2, 4), train)
            h = nn.relu(h * p["BatchNorm_0"]["scale"])
            for i, features in enumerate((2, 1)):
                name = f"StridedConvTranspose_{i}"
                layer = nn.ConvTranspose(features, (4, 4), (2, 2), use_bias="bias" in p[name])
                h = layer.apply({"params": p[name]}, h)
                if i == 0:
                    h = nn.relu(normalize(h, train) * p["BatchNorm_1"]["scale"])
            pairs.append((x, nn.sigmoid(h)))
            outputs, _ = critic.apply(of_critic, x, train=train, mutable=["batch_stats"])
            p = of_critic["params"]
            h = 2 * x - 1
            for i, features in enumerate((2, 4)):
                name = f"StridedConv_{i}"
                layer = nn.Conv(features, (4, 4), (2, 2), use_bias="bias" in p[name])
                h = layer.apply({"params": p[name]}, h)
                h = normalize(h, train) * p["BatchNorm_0"]["scale"] if i else h
                h = jnp.where(h > 0, h, 0.2 * h)
            pairs.append((outputs, h.reshape(5, -1) @ p["Dense_0"]["kernel"][:, 0]))
        return pairs

    for got, expected in both(key):
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5)
    images = both(jax.random.key(2))[0][0]
    assert 0 <= images.min() < images.max() <= 1


def test_spectral_norms_are_one_once_the_iteration_has_settled(key):
    x = jax.random.uniform(key, (4, 4, 4, 1))
    for critic in (
        DCGANCritic((2, 3), batch_norm=False, spectral_norm=True),
        ResidualCritic(3, halvings=1),
    ):
        variables = jax.jit(lambda key, net=critic: net.init(key, x, train=True))(key)

        @jax.jit
        def settled(variables, net=critic):
            def step(variables, _):
                changed = net.apply(variables, x, train=True, mutable=["batch_stats"])[1]
                return {**variables, **changed}, None

            return jax.lax.scan(step, variables, None, length=80)[0]

        scale = jax.tree.leaves_with_path(settled(variables)["batch_stats"])
        sigmas = {jax.tree_util.keystr(path): v for path, v in scale if "sigma" in str(path)}
        kernels = {
            jax.tree_util.keystr(path): np.asarray(v).reshape(-1, v.shape[-1])
            for path, v in jax.tree.leaves_with_path(variables["params"])
            if v.ndim > 1
        }
        expected = sorted(np.linalg.norm(kernel, 2) for kernel in kernels.values())
        got = sorted(float(v) for v in sigmas.values())
        np.testing.assert_allclose(got, expected, rtol=1e-2)


def test_the_spread_of_the_batch_reaches_the_last_layer(key):
    critic = DCGANCritic((2,), batch_norm=False, minibatch_stddev=True)
    x = jax.random.uniform(key, (4, 4, 4, 1))
    variables = critic.init(jax.random.key(1), x, train=True)
    alone = critic.apply(variables, x[:1], train=False)[0]
    assert abs(alone - critic.apply(variables, x, train=False)[0]) > 1e-4


@pytest.mark.parametrize(
    "net", [DCGANGenerator((30, 28, 1), (4, 2)), ResidualGenerator((28, 30, 1), 4)]
)
def test_an_image_that_cannot_be_halved_so_often_is_refused(net, key):
    with pytest.raises(ValueError, match=r"output_shape: got 30x28|output_shape: got 28x30"):
        jax.eval_shape(lambda key: net.init(key, jnp.zeros((2, 3)), train=True), key)


@pytest.mark.parametrize(
    "net",
    [
        DCGANCritic((4,)), ResidualCritic(4, 1), MLPCritic((4,)), MLPTranslator((4,)),
        DCGANGenerator((4, 4, 1), (4,)), ResidualGenerator((4, 4, 1), 4, 1),
        MLPGenerator((4,), (2,)),
    ],
    ids=lambda net: type(net).__name__,
)  # fmt: skip
def test_bytes_are_refused_by_every_player(net, key):
    """Its features, too: those of bytes are of another image than those of floats in [0, 1]."""
    given = jnp.ones((2, 8, 8, 1) if "Generator" not in type(net).__name__ else (2, 3), jnp.uint8)
    with pytest.raises(ValueError, match=r"[xz]: got uint8, expected floating-point"):
        as_net(net).init(key, given)


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        ((8, 8, 1), (2, 4)),
        ((28, 28, 1), (2, 4)),
        ((32, 32, 3), (2, 4, 8)),
        ((64, 64, 3), (2, 4, 8, 16)),
        ((7, 9, 1), (2,)),
        ((18, 16, 1), (2,)),
    ],
)
def test_maps_are_halved_down_to_an_odd_side_or_four(shape, channels):
    assert dcgan_channels(shape, 2) == channels

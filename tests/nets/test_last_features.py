"""The features of any net: what its last layer maps to its output, overheard from outside."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nets import (
    MLP,
    DCGANCritic,
    MLPCritic,
    ResidualCritic,
    as_net,
    last_features,
)

IMAGES = jax.random.uniform(jax.random.key(0), (6, 8, 8, 1))
LATENTS = jax.random.normal(jax.random.key(1), (6, 3))


class Joint(nn.Module):
    """A critic of pairs (x, z), whose two branches meet before a last hidden layer."""

    @nn.compact
    def __call__(self, side, *, train):
        x, z = side
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(5)(x.reshape(len(x), -1)))
        h = nn.relu(nn.Dense(4)(jnp.concatenate([x, nn.Dense(2)(z)], axis=-1)))
        return nn.Dense(1, name="last")(inputs=h)[:, 0]


class Projection(nn.Module):
    """A critic of (x, label): the class enters beside the last layer, and is no `Dense`."""

    @nn.compact
    def __call__(self, side):
        x, label = side
        h = nn.relu(nn.Dense(4)(x.reshape(len(x), -1)))
        return nn.Dense(1, name="last")(h)[:, 0] + jnp.sum(nn.Embed(3, 4)(label) * h, axis=-1)


class Patches(nn.Module):
    """A critic of patches, all of convolutions."""

    @nn.compact
    def __call__(self, x, *, train):
        return nn.Conv(1, (1, 1))(nn.relu(nn.Conv(4, (3, 3))(x)))[..., 0]


class Nested(nn.Module):
    """An affine map whose layers are of a class that linen's transforms have made."""

    dense: type

    @nn.compact
    def __call__(self, x):
        return self.dense(2, name="last")(self.dense(4, name="first")(x))


CRITICS = {
    "dcgan": (DCGANCritic((4, 8)), IMAGES, "Dense_0", 32),
    "dcgan, spectral": (DCGANCritic((4, 8), False, True), IMAGES, "Dense_0", 32),
    "mlp": (MLPCritic((7, 5)), IMAGES, "Dense_2", 5),
    "mlp, spectral": (MLPCritic((7, 5), spectral_norm=True), IMAGES, "Dense_2", 5),
    "residual": (ResidualCritic(channels=4, halvings=0), IMAGES, "Dense_0", 4),
    "joint": (Joint(), (IMAGES, LATENTS), "last", 4),
}


@pytest.mark.parametrize("name", CRITICS)
def test_the_last_layer_maps_the_features_to_what_the_net_returns(name):
    net, x, last, width = CRITICS[name]

    # After a pass in training: statistics and singular vectors are no longer those of the start.
    @jax.jit
    def heard(key, x):
        variables = net.init(key, x, train=True)
        variables = {**variables, **as_net(net).apply(variables, x, train=True)[1]}
        outputs = net.apply(variables, x, train=False)
        return variables, outputs, last_features(net, variables, x)

    variables, outputs, features = heard(jax.random.key(2), x)
    assert features.shape == (6, width)
    kernel = variables["params"][last]["kernel"]
    if "spectral" in name or name == "residual":
        # The norm is that of the iteration so far: a number for the whole kernel.
        (sigma,) = (
            found
            for path, found in jax.tree_util.tree_leaves_with_path(variables["batch_stats"])
            if last in jax.tree_util.keystr(path) and found.shape == ()
        )
        kernel = kernel / sigma
    found = np.asarray(features @ kernel + variables["params"][last]["bias"])[:, 0]
    np.testing.assert_allclose(found, outputs, rtol=1e-4, atol=1e-6)
    assert np.abs(found).max() > 1e-4


def test_several_critics_at_once_each_have_their_own():
    net = DCGANCritic((2, 4))
    keys = jax.random.split(jax.random.key(3), 2)
    stacked = jax.jit(jax.vmap(lambda key: net.init(key, IMAGES, train=True)))(keys)
    together = jax.jit(jax.vmap(lambda variables: last_features(net, variables, IMAGES)))(stacked)
    alone = last_features(net, jax.tree.map(lambda leaf: leaf[1], stacked), IMAGES)
    np.testing.assert_allclose(together[1], alone, rtol=1e-5, atol=1e-6)
    assert np.abs(together[0] - together[1]).max() > 1e-3


def test_features_of_one_datapoint_of_a_condition_and_of_patches():
    net = MLP((7, 5), (2, 2))
    params = net.init(jax.random.key(2), IMAGES[0])
    kernel, bias = params["params"]["Dense_2"]["kernel"], params["params"]["output_bias"]
    features = jax.vmap(lambda x: last_features(net, params, x))(IMAGES)
    expected = jax.vmap(lambda x: net.apply(params, x))(IMAGES)
    np.testing.assert_allclose((features @ kernel).reshape(6, 2, 2) + bias, expected, rtol=1e-5)

    net, side = Projection(), (IMAGES, jnp.arange(6) % 3)
    params = net.init(jax.random.key(2), side)
    features = last_features(net, params, side)
    kernel, embedding = params["params"]["last"]["kernel"], params["params"]["Embed_0"]["embedding"]
    expected = features @ kernel[:, 0] + jnp.sum(embedding[side[1]] * features, axis=-1)
    np.testing.assert_allclose(net.apply(params, side), expected, rtol=1e-4, atol=1e-6)

    net = Patches()
    params = net.init(jax.random.key(2), IMAGES, train=True)
    features = last_features(net, params, IMAGES, layer=nn.Conv)
    kernel = params["params"]["Conv_0"]["kernel"][0, 0, :, 0]
    np.testing.assert_allclose(net.apply(params, IMAGES, train=False), features @ kernel, rtol=1e-5)
    with pytest.raises(ValueError, match="net: got a Patches that calls no linen Dense"):
        last_features(net, params, IMAGES)


def test_a_layer_that_is_computed_anew_for_gradients_is_heard_and_one_in_a_loop_is_not():
    net = Nested(nn.remat(nn.Dense))
    params = jax.jit(net.init)(jax.random.key(0), LATENTS)
    features = last_features(net, params, LATENTS)
    kernel = params["params"]["last"]["kernel"]
    np.testing.assert_allclose(features @ kernel, net.apply(params, LATENTS), rtol=1e-5)

    each = nn.vmap(nn.Dense, variable_axes={"params": None}, split_rngs={"params": False})
    with pytest.raises(ValueError, match="net: got a Nested that calls no linen Dense, or one wit"):
        last_features(Nested(each), params, LATENTS)
    with pytest.raises(ValueError, match="net: got a tuple, expected a linen module"):
        last_features((lambda key, x: {}, lambda params, x: x), params, LATENTS)
    with pytest.raises(ValueError, match=r"variables: got \['first.*, expected `params` among"):
        last_features(net, params["params"], LATENTS)

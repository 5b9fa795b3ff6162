"""One form for the nets of every library."""

import inspect

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax.nnx import bridge

from jaxgen.nets import MLP, MLPCritic, MLPGenerator, Net, as_net

X = jax.random.normal(jax.random.key(0), (4, 3))


class Noisy(nn.Module):
    """Dropout and batch statistics, over a pytree of inputs."""

    @nn.compact
    def __call__(self, inputs, *, train):
        x = nn.Dense(8)(jnp.concatenate([inputs["x"], inputs["z"]], axis=-1))
        x = nn.BatchNorm(use_running_average=not train)(x)
        return nn.Dropout(0.5, deterministic=not train)(x)


class NoisyNNX(nnx.Module):
    """The same in flax's other API."""

    def __init__(self, *, rngs):
        self.dense = nnx.Linear(6, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, inputs, *, train):
        x = self.dense(jnp.concatenate([inputs["x"], inputs["z"]], axis=-1))
        return self.dropout(self.norm(x, use_running_average=not train), deterministic=not train)


@pytest.mark.parametrize("module", [Noisy(), bridge.ToLinen(NoisyNNX)], ids=["linen", "nnx"])
def test_a_key_makes_the_noise_and_only_training_changes_collections(module):
    net, inputs = as_net(module), {"x": X, "z": 2 * X}
    variables = net.init(jax.random.key(1), inputs)
    assert set(variables) == {"params", "batch_stats"}
    one, two = jax.random.split(jax.random.key(2))
    first, changed = net.apply(variables, inputs, key=jax.random.clone(one), train=True)
    again, _ = net.apply(variables, inputs, key=one, train=True)
    other, _ = net.apply(variables, inputs, key=two, train=True)
    np.testing.assert_array_equal(first, again)
    assert (np.asarray(first == 0) != np.asarray(other == 0)).any()
    assert set(changed) == {"batch_stats"}
    outside, changed = net.apply(variables, inputs)
    assert changed == {}
    assert not np.asarray(outside == 0).any()


def test_a_module_is_called_with_train_if_it_takes_it():
    generator, mlp = MLPGenerator((4,), (2,), batch_norm=True), MLP((4,), (2,))
    variables = as_net(generator).init(jax.random.key(0), X)
    outputs, _ = as_net(generator).apply(variables, X, train=True)
    np.testing.assert_array_equal(
        outputs, generator.apply(variables, X, train=True, mutable=["batch_stats"])[0]
    )
    variables = as_net(mlp).init(jax.random.key(0), X[0])
    np.testing.assert_array_equal(
        as_net(mlp).apply(variables, X[0], train=True)[0], mlp.apply(variables, X[0])
    )


def test_the_params_are_those_of_linens_own_init():
    critic = MLPCritic((4,), spectral_norm=True)
    mine = as_net(critic).init(jax.random.key(0), X)
    jax.tree.map(
        np.testing.assert_array_equal, mine, dict(critic.init(jax.random.key(0), X, train=True))
    )


def test_a_pair_of_plain_functions_is_a_net_and_a_net_stays_itself():
    net = as_net((lambda key, x: jax.random.normal(key, x.shape[-1:]), lambda w, x: x @ w))
    variables = net.init(jax.random.key(0), X)
    assert list(variables) == ["params"]
    outputs, changed = net.apply(variables, X, key=jax.random.key(1), train=True)
    np.testing.assert_array_equal(outputs, X @ variables["params"])
    assert changed == {}
    assert isinstance(net, Net)
    assert as_net(net) is net


def test_anything_else_is_refused_by_name():
    for wrong in (MLP, lambda x: x, (MLP((), (2,)),), nnx.Linear(2, 2, rngs=nnx.Rngs(0))):
        with pytest.raises(ValueError, match=r"net: got a .* expected a linen module"):
            inspect.unwrap(as_net)(wrong)  # beneath the tests' own check of types

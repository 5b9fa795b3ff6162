"""CycleGAN's nets against their papers: written out layer by layer, counted, and seen through."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgen.nets import (
    DoublingConvolution,
    PatchCritic,
    ResNetGenerator,
    instance_norm,
    patch_critic,
)

NUMBERS = np.random.default_rng(0)


def convolved(x, layer, stride=1):
    y = lax.conv_general_dilated(
        x, layer["kernel"], (stride, stride), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return y + layer.get("bias", 0.0)


def padded(x, reach, mode="constant"):
    return jnp.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode)


def drawn(net, shape):
    """Images and the net's params, all drawn from N(0, .2²)."""
    x = jnp.asarray(NUMBERS.random(shape), jnp.float32)
    shapes = jax.eval_shape(lambda: net.init(jax.random.key(0), x))["params"]
    draw = lambda leaf: jnp.asarray(0.2 * NUMBERS.normal(size=leaf.shape), leaf.dtype)  # noqa: E731
    return x, jax.tree.map(draw, shapes)


def size(net):
    x = jnp.zeros((1, 64, 64, 3))
    shapes = jax.eval_shape(lambda: net.init(jax.random.key(0), x))["params"]
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))


def test_an_instance_norm_is_its_formula():
    x = (1e-2 * NUMBERS.normal(size=(3, 4, 5, 2)) + 0.5).astype(np.float32)
    expected = np.empty_like(x)
    for n in range(3):
        for c in range(2):
            of = x[n, :, :, c].astype(np.float64)
            expected[n, :, :, c] = (of - of.mean()) / np.sqrt(of.var() + 1e-5)
    np.testing.assert_allclose(instance_norm(jnp.asarray(x)), expected, atol=1e-4)
    assert instance_norm(jnp.asarray(x, jnp.bfloat16)).dtype == jnp.bfloat16
    with pytest.raises(ValueError, match=r"x: got shape \(3, 1, 1, 2\), expected feature maps"):
        instance_norm(jnp.asarray(x[:, :1, :1]))


def test_a_patch_critic_is_its_layers():
    strides = (2, 1, 1, 1, 1)
    net = PatchCritic(2, strides)
    x, params = drawn(net, (2, 16, 16, 3))
    features = [params[f"Convolution_{i}"]["kernel"].shape[-1] for i in range(6)]
    assert features == [2, 4, 8, 16, 16, 1]
    h = 2 * x - 1
    for i, stride in enumerate(strides):
        h = convolved(padded(h, 1), params[f"Convolution_{i}"], stride)
        if i > 0:
            h = instance_norm(h)
        h = jnp.where(h > 0, h, 0.2 * h)
    expected = convolved(padded(h, 1), params["Convolution_5"])[..., 0]
    np.testing.assert_allclose(net.apply({"params": params}, x), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("strides", "patch"), [((2, 2, 2, 1), 70), ((2, 1), 16)])
def test_a_patch_is_as_large_as_it_is_said(strides, patch, monkeypatch):
    """What one output looks at, but for the norms, which look everywhere."""
    monkeypatch.setattr(patch_critic, "instance_norm", lambda x: x)
    net = PatchCritic(1, strides)
    x, params = drawn(net, (1, 96, 96, 1))
    slope = jax.grad(lambda x: net.apply({"params": params}, x)[0, 5, 5])(x)[0, :, :, 0]
    side = 10 if patch == 70 else 46
    assert net.apply({"params": params}, x).shape == (1, side, side)
    for axis in (0, 1):
        assert np.asarray(slope != 0).any(axis=axis).sum() == patch


def test_a_resnet_generator_is_its_layers():
    net = ResNetGenerator(2, width=2, halvings=1, blocks=2, edge=5)
    x, params = drawn(net, (2, 8, 8, 3))
    layers = iter([params[f"Convolution_{i}"] for i in range(7)])

    def block(x):
        h = jax.nn.relu(instance_norm(convolved(padded(x, 1, "reflect"), next(layers))))
        return x + instance_norm(convolved(padded(h, 1, "reflect"), next(layers)))

    h = jax.nn.relu(instance_norm(convolved(padded(2 * x - 1, 2, "reflect"), next(layers))))
    h = jax.nn.relu(instance_norm(convolved(padded(h, 1), next(layers), 2)))
    h = block(block(h))
    doubled = DoublingConvolution(2).apply({"params": params["DoublingConvolution_0"]}, h)
    h = jax.nn.relu(instance_norm(doubled))
    last = convolved(padded(h, 2, "reflect"), next(layers))
    expected = (1 + np.tanh(last)) / 2
    np.testing.assert_allclose(net.apply({"params": params}, x), expected, rtol=1e-3, atol=1e-4)


def test_the_defaults_are_the_authors_nets():
    """Theirs have 11,378,179 and 2,764,737 params; the norms take 5,248 and 896 biases away."""
    assert size(ResNetGenerator(3)) == 11_378_179 - 5_248
    assert size(PatchCritic()) == 2_764_737 - 896


def test_bytes_are_refused():
    x = jnp.zeros((2, 8, 8, 1), jnp.uint8)
    for net in (ResNetGenerator(1, width=2, halvings=0, blocks=1), PatchCritic(2, (2, 1))):
        with pytest.raises(ValueError, match="x: got uint8, expected floating-point numbers"):
            net.init(jax.random.key(0), x)

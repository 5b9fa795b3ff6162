"""The nets of translations: shapes, ranges, refusals, and what the compiler shares between uses."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nets import PatchCritic, ResNetGenerator, instance_norm

X = jax.random.uniform(jax.random.key(1), (2, 8, 8, 3))


def test_instance_norm_leaves_every_channel_of_every_image_with_mean_0_and_variance_1():
    y = np.asarray(instance_norm(jnp.array([1.0, 10.0, 0.1]) * X + 5))
    np.testing.assert_allclose(y.mean(axis=(1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(y.var(axis=(1, 2)), 1, atol=2e-2)  # 1e-5 beside variances of 1e-3
    with pytest.raises(ValueError, match=r"x: got shape \(2, 1, 1, 3\), expected .*two places"):
        instance_norm(jnp.ones((2, 1, 1, 3)))


def test_a_net_that_is_used_with_and_without_gradient_is_computed_once(key):
    """Both players of a game make the same fakes."""
    net = ResNetGenerator(3, width=2, halvings=0, blocks=1, edge=3)
    variables = net.init(key, X)

    def products(*uses):
        program = jax.jit(lambda v: [use(v) for use in uses]).lower(variables).compile().as_text()
        return len(re.findall(r" dot\(", program))

    def slope(v):
        return jax.grad(lambda v: jnp.sum(jnp.sin(net.apply(v, X))))(v)

    assert products(slope) == products(slope, lambda v: net.apply(v, X))


def test_shapes_ranges_and_refusals(key):
    net = ResNetGenerator(1, width=2, halvings=1, blocks=1, edge=3)
    y = net.apply(net.init(jax.random.clone(key), X), X)
    assert y.shape == (2, 8, 8, 1)
    assert 0 <= float(y.min()) <= float(y.max()) <= 1
    default = jax.eval_shape(PatchCritic(2).init_with_output, key, jnp.ones((1, 64, 64, 3)))[0]
    assert default.shape == (1, 6, 6)
    small = PatchCritic(2, strides=(2, 1))
    assert jax.eval_shape(small.init_with_output, key, X)[0].shape == (2, 2, 2)
    with pytest.raises(ValueError, match=r"halvings: got 4 for images of 8x8, .* multiples of 16"):
        ResNetGenerator(1, halvings=4).init(key, X)
    with pytest.raises(ValueError, match="edge: got 4, expected an odd number"):
        ResNetGenerator(1, edge=4, halvings=0).init(key, X)
    with pytest.raises(ValueError, match="strides: got"):
        PatchCritic(2, strides=()).init(key, X)
    with pytest.raises(ValueError, match=r"strides: got \(2, 2, 2, 2\) for images of 8x8"):
        PatchCritic(2, strides=(2, 2, 2, 2)).init(key, X)

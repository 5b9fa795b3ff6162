"""Weight normalization: every unit's weights have the norm asked for, whatever is learned."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nets import MLP, ConvEncoder, WeightNormalized

X = jnp.linspace(-1.0, 1.0, 5)


def test_it_is_the_network_with_its_kernels_scaled_by_hand(key):
    net = WeightNormalized(MLP((7,), (3,), nn.tanh), norm=0.4)
    params = jax.jit(net.init)(key, X)
    inner = params["params"]["net"]
    first, second = (np.asarray(inner[f"Dense_{i}"]["kernel"]) for i in (0, 1))
    first, second = (0.4 * v / np.linalg.norm(v, axis=0) for v in (first, second))
    bias = np.full(7, 0.3)
    inner["Dense_0"]["bias"] = jnp.asarray(bias, jnp.float32)
    expected = np.tanh(np.asarray(X) @ first + bias) @ second
    apply = jax.jit(net.apply)
    np.testing.assert_allclose(apply(params, X), expected, atol=1e-6)
    # The length of what is learned does not matter, in the value and so in the gradient.
    longer = jax.tree.map(lambda v: 3 * v if v.ndim == 2 else v, params)
    np.testing.assert_allclose(apply(longer, X), expected, atol=1e-6)


def test_its_slope_is_bounded_by_the_norms(key):
    net = WeightNormalized(MLP((7, 7), (3,), nn.tanh), norm=0.2)
    params = jax.jit(net.init)(key, X)
    jacobian = jax.jit(jax.jacobian(lambda x: net.apply(params, x)))(X)
    # A layer of m units of norm h has a spectral norm of sqrt(m) h at most.
    assert np.linalg.norm(jacobian, 2) <= 0.2**3 * np.sqrt(7 * 7 * 3)


def test_convolutions_are_normalized_by_feature(key):
    net = WeightNormalized(ConvEncoder((2, 2), channels=(2, 2), hidden=4), norm=0.5)
    x = jnp.ones((8, 8, 1))
    params = jax.jit(net.init)(key, x)
    longer = jax.tree.map(lambda v: 3 * v if v.ndim > 1 else v, params)
    apply = jax.jit(net.apply)
    np.testing.assert_allclose(apply(longer, x), apply(params, x), atol=1e-6)


def test_a_norm_of_zero_is_refused(key):
    with pytest.raises(ValueError, match=r"norm: got 0.0, expected a positive number"):
        WeightNormalized(MLP((), (3,)), norm=0.0).init(key, X)

"""Strided convolutions against linen's and PyTorch's: numbers and gradients of gradients."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nets import StridedConv, StridedConvTranspose

PAIRS = {
    "conv": (StridedConv, nn.Conv),
    "transpose": (StridedConvTranspose, nn.ConvTranspose),
}
X = jax.random.normal(jax.random.key(5), (2, 5, 6, 1))
"""An odd height; one channel, so that either factor of the product is once the narrower."""


def layers(name, features=17):
    ours, theirs = PAIRS[name]
    return ours(features), theirs(features, (4, 4), strides=(2, 2))


def relative_error(got, expected):
    assert jax.tree.map(jnp.shape, got) == jax.tree.map(jnp.shape, expected)
    return max(
        float(jnp.linalg.norm(u - v) / jnp.linalg.norm(v))
        for u, v in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True)
    )


@pytest.mark.parametrize("name", PAIRS)
def test_params_are_linens_and_so_are_the_numbers_of_one_image_and_of_many(name, key):
    ours, theirs = layers(name, 3)
    x = jax.random.normal(jax.random.key(1), (2, 3, 4, 8, 5))
    variables = jax.jit(theirs.init)(jax.random.clone(key), x)
    chex.assert_trees_all_equal(jax.jit(ours.init)(key, x), variables)
    variables["params"]["bias"] += 0.3
    apply = jax.jit(ours.apply)
    expected = jax.jit(theirs.apply)(variables, x)
    assert relative_error(apply(variables, x), expected) < 1e-6
    assert relative_error(apply(variables, x[1, 2]), expected[1, 2]) < 1e-6
    turned = {"params": {**variables["params"], "kernel": variables["params"]["kernel"][::-1]}}
    assert relative_error(apply(turned, x), expected) > 0.1


@pytest.mark.parametrize("name", PAIRS)
def test_half_precision_stays_half_and_an_empty_batch_empty(name, key):
    ours, theirs = (net.clone(parent=None) for net in layers(name, 3))
    x = X.astype(jnp.bfloat16)
    variables = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), ours.init(key, X))
    found, expected = (jax.jit(net.apply)(variables, x) for net in (ours, theirs))
    assert found.dtype == expected.dtype == jnp.bfloat16
    np.testing.assert_allclose(found.astype("f4"), expected.astype("f4"), atol=0.05)
    assert jax.jit(ours.apply)(variables, x[:0]).shape == (0, *found.shape[1:])


@pytest.mark.parametrize("name", PAIRS)
def test_float32_params_compute_in_the_dtype_asked_for_as_linens_do(name, key):
    ours, theirs = PAIRS[name]
    ours = ours(3, dtype=jnp.bfloat16)
    theirs = theirs(3, (4, 4), strides=(2, 2), dtype=jnp.bfloat16)
    variables = jax.jit(ours.init)(key, X)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    found, expected = (jax.jit(net.apply)(variables, X) for net in (ours, theirs))
    assert found.dtype == expected.dtype == jnp.bfloat16
    np.testing.assert_allclose(found.astype("f4"), expected.astype("f4"), atol=0.05)
    # Without a dtype, half-precision images meet float32 params in float32.
    layer = PAIRS[name][0](3)
    assert layer.apply(variables, X.astype(jnp.bfloat16)).dtype == jnp.float32


@pytest.mark.parametrize("features", [3, 17])
@pytest.mark.parametrize("name", PAIRS)
def test_gradients_are_linens(name, features, key):
    ours, theirs = layers(name, features)
    variables = theirs.init(key, X)

    def slopes(net):
        def loss(variables, x):
            return jnp.sum(jnp.sin(net.apply(variables, x)))

        return jax.jit(jax.grad(loss, argnums=(0, 1)))(variables, X)

    assert relative_error(slopes(ours), slopes(theirs)) < 3e-6


@pytest.mark.parametrize("name", PAIRS)
def test_slopes_may_be_penalized_and_taken_forwards(name, key):
    ours, theirs = layers(name)
    variables = theirs.init(key, X)
    toward = jax.tree.map(jnp.cos, variables)

    def numbers(net):
        def loss(variables, x):
            return jnp.sum(jnp.sin(net.apply(variables, x)))

        def length(variables):
            return jnp.sum(jax.grad(loss, argnums=1)(variables, X) ** 2)

        return jax.jit(lambda: (jax.jvp(loss, (variables, X), (toward, X))[1],
                                jax.grad(length)(variables)["params"]["kernel"]))()  # fmt: skip

    assert relative_error(numbers(ours), numbers(theirs)) < 1e-5


def test_numbers_are_pytorchs(key):
    torch = pytest.importorskip("torch")
    x = jax.random.normal(jax.random.key(1), (2, 4, 6, 3))
    images = torch.tensor(np.asarray(x)).permute(0, 3, 1, 2)
    for name, theirs in (
        ("conv", torch.nn.Conv2d(3, 5, 4, 2, 1)),
        ("transpose", torch.nn.ConvTranspose2d(3, 5, 4, 2, 1)),
    ):
        kernel, bias = (p.detach().numpy() for p in (theirs.weight, theirs.bias))
        if name == "conv":  # [out, in, height, width]
            kernel = kernel.transpose(2, 3, 1, 0)
        else:  # [in, out, height, width], turned around
            kernel = kernel.transpose(2, 3, 0, 1)[::-1, ::-1]
        params = {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}
        got = jax.jit(layers(name, 5)[0].apply)({"params": params}, x)
        expected = theirs(images).detach().permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("name", PAIRS)
def test_a_cpu_gets_matrix_products_and_any_other_device_its_convolution(name, key):
    ours, _ = layers(name)
    variables = ours.init(key, X)
    gradient = jax.jit(jax.grad(lambda v: jnp.sum(ours.apply(v, X) ** 2))).trace(variables)
    for platform, convolves in (("cpu", False), ("cuda", True), ("tpu", True)):
        program = gradient.lower(lowering_platforms=(platform,)).as_text()
        assert ("stablehlo.convolution" in program) == convolves
        assert ("stablehlo.dot_general" in program) != convolves

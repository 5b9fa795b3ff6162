"""Convolutions as matrix products against linen's and PyTorch's, gradients of gradients too."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nets import Convolution, DoublingConvolution

X = jax.random.normal(jax.random.key(5), (2, 7, 6, 8))
LAYERS = {
    "of patches": (Convolution(3, size=3), nn.Conv(3, (3, 3), padding="VALID")),
    "stride": (Convolution(5, size=4, stride=2), nn.Conv(5, (4, 4), (2, 2), padding="VALID")),
    "few features": (Convolution(2, size=5), nn.Conv(2, (5, 5), padding="VALID")),
    "doubling": (
        DoublingConvolution(3),
        nn.Conv(3, (3, 3), padding=((1, 2), (1, 2)), input_dilation=(2, 2), use_bias=False),
    ),
}


def relative_error(got, expected):
    assert jax.tree.map(jnp.shape, got) == jax.tree.map(jnp.shape, expected)
    return max(
        float(jnp.linalg.norm(u - v) / jnp.linalg.norm(v))
        for u, v in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True)
    )


@pytest.mark.parametrize("name", LAYERS)
def test_numbers_slopes_and_penalties_on_slopes_are_linens(name, key):
    ours, theirs = LAYERS[name]
    variables = jax.jit(theirs.init)(jax.random.clone(key), X)
    assert jax.tree.map(jnp.shape, ours.init(key, X)) == jax.tree.map(jnp.shape, variables)
    toward = jax.tree.map(jnp.cos, variables)

    def numbers(net, variables):
        def loss(variables, x):
            return jnp.sum(jnp.sin(net.apply(variables, x)))

        def length(variables):
            return jnp.sum(jax.grad(loss, argnums=1)(variables, X) ** 2)

        return (
            net.apply(variables, X),
            jax.grad(loss, argnums=(0, 1))(variables, X),
            jax.jvp(loss, (variables, X), (toward, X))[1],
            jax.grad(length)(variables)["params"]["kernel"],
        )

    found = jax.jit(lambda variables: numbers(ours, variables))(variables)
    assert relative_error(found, jax.jit(lambda v: numbers(theirs, v))(variables)) < 1e-5
    turned = {"params": {**variables["params"], "kernel": variables["params"]["kernel"][::-1]}}
    assert relative_error(ours.apply(turned, X), found[0]) > 0.1


@pytest.mark.parametrize("name", LAYERS)
def test_a_cpu_gets_matrix_products_and_any_other_device_its_convolution(name, key):
    ours, _ = LAYERS[name]
    variables = ours.init(key, X)
    gradient = jax.jit(jax.grad(lambda v: jnp.sum(ours.apply(v, X) ** 2))).trace(variables)
    for platform, convolves in (("cpu", False), ("cuda", True)):
        program = gradient.lower(lowering_platforms=(platform,)).as_text()
        assert ("stablehlo.convolution" in program) == convolves


def test_doubling_is_pytorchs(key):
    torch = pytest.importorskip("torch")
    layer = torch.nn.ConvTranspose2d(8, 3, 3, 2, 1, output_padding=1, bias=False)
    # [in, out, height, width], turned around
    kernel = layer.weight.detach().numpy().transpose(2, 3, 0, 1)[::-1, ::-1]
    found = DoublingConvolution(3).apply({"params": {"kernel": jnp.asarray(kernel)}}, X)
    expected = layer(torch.tensor(np.asarray(X)).permute(0, 3, 1, 2)).detach()
    np.testing.assert_allclose(found, expected.permute(0, 2, 3, 1).numpy(), atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_no_image_gives_none(name, key):
    ours, theirs = LAYERS[name]
    variables = theirs.init(key, X)
    assert ours.apply(variables, X[:0]).shape == theirs.apply(variables, X[:0]).shape


def test_an_image_smaller_than_the_kernel_is_named(key):
    with pytest.raises(ValueError, match="x: got images of 7x6, expected 7x7 or larger"):
        Convolution(3, size=7).init(key, X)

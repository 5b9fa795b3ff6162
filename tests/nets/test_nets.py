import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nets import MLP, ConvDecoder, ConvEncoder


def test_mlp_is_the_matrix_formula():
    net = MLP((5,), (2, 3), nn.tanh, output_bias_init=nn.initializers.normal())
    x = jax.random.normal(jax.random.key(0), (2, 2))
    params = net.init(jax.random.key(1), x)["params"]
    hidden = np.tanh(np.ravel(x) @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"])
    expected = (hidden @ params["Dense_1"]["kernel"]).reshape(2, 3) + params["output_bias"]
    np.testing.assert_allclose(net.apply({"params": params}, x), expected, rtol=1e-5)


@pytest.mark.parametrize(("height", "width", "channels"), [(8, 8, 1), (28, 28, 1), (32, 16, 3)])
def test_conv_pair_maps_images_to_latents_and_back(height, width, channels):
    shape = (height, width, channels)
    encoder, decoder = ConvEncoder((2, 4), hidden=16), ConvDecoder((*shape, 2), hidden=16)
    z, _ = encoder.init_with_output(jax.random.key(0), jnp.ones(shape))
    assert z.shape == (2, 4)
    outputs, params = decoder.init_with_output(jax.random.key(1), z[0])
    assert outputs.shape == (*shape, 2)
    batch = jax.vmap(lambda z: decoder.apply(params, z))(jnp.stack([z[0], z[1]]))
    np.testing.assert_allclose(batch[0], outputs, atol=1e-5)


def test_decoders_start_at_the_given_bias():
    bias = jax.random.normal(jax.random.key(0), (8, 8, 1, 1))
    for net in (
        MLP((4,), bias.shape, output_bias_init=lambda *_: bias),
        ConvDecoder(bias.shape, output_bias_init=lambda *_: bias),
    ):
        outputs, _ = net.init_with_output(jax.random.key(1), jnp.zeros(3))
        np.testing.assert_allclose(outputs, bias, atol=1e-6)


def test_decoder_refuses_an_image_that_cannot_be_quartered():
    with pytest.raises(ValueError, match="output_shape: got 30x28, expected height and width"):
        ConvDecoder((30, 28, 1, 1)).init(jax.random.key(0), jnp.zeros(3))

"""Images coded by a model's tables, and read back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import load
from jaxgen.metrics import image_code, send_losslessly
from jaxgen.workbench import image_vae


@pytest.fixture(scope="module")
def images():
    return load("digits", "test[:5]")


@pytest.fixture(scope="module")
def code(images):
    model = image_vae(images, (16,), 3, likelihood="discretized_logistic")
    params = jax.jit(model.init)(jax.random.key(0))
    return image_code(
        lambda x: model.encode(params, x),
        lambda z: model.decode(params, z),
        x_shape=(8, 8, 1),
        levels=17,
        latent_size=3,
        buckets=64,
    )


def levels_of(images):
    return np.rint(images.images.reshape(5, -1) / 255 * 16).astype(np.int32)


def test_gray_levels_are_tables_that_sum_to_one_and_are_inverted(code, images):
    np.testing.assert_allclose(code.likelihood(np.zeros(3, np.int32)).sum(axis=1), 1, atol=1e-4)
    symbols = levels_of(images)
    np.testing.assert_allclose(code.posterior(symbols[0]).sum(axis=1), 1, atol=1e-4)
    sent = send_losslessly(code, symbols, np.arange(3, dtype=np.uint32))
    assert sent.initial_bits == 96
    assert sent.net_bits == pytest.approx((8 * sent.message_bytes - 96) / 5)


def test_a_code_that_changes_is_noticed(code, images):
    calls = iter(range(1000))

    def drifting(states):
        table = code.likelihood(states)
        return jnp.roll(table, next(calls), axis=1)

    with pytest.raises(RuntimeError, match="read back"):
        send_losslessly(
            code._replace(likelihood=drifting),
            levels_of(images),
            np.arange(3, dtype=np.uint32),
        )


@pytest.mark.parametrize("name", ["levels", "buckets", "latent_size"])
def test_counts_are_checked(name):
    counts = {"levels": 2, "buckets": 2, "latent_size": 1, name: 0}
    with pytest.raises(ValueError, match=f"{name}: got 0"):
        image_code(lambda x: x, lambda z: z, x_shape=(2,), **counts)

"""The recipes of InfoVAE and of the smooth encoders: what they measure and what their flags do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import infovae, smooth_encoder
from jaxgen.data import load
from jaxgen.divergences import rbf
from jaxgen.train import mean_over_batch
from jaxgen.workbench import image_vae, negative_elbo


def test_infovae_measures_both_models(tiny):
    run = tiny("infovae")
    result = run.result
    for name in ("vae", "infovae"):
        of = result[name]
        assert of["test_elbo"] == pytest.approx(of["test_reconstruction"] - of["test_kl"])
        assert of["rate"] == pytest.approx(of["information"] + of["mismatch"], abs=1e-5)
        assert 0 < of["test_nll"] < -of["test_elbo"]
    # With no KL at all, from the same start and draws, more is said of x.
    assert result["infovae"]["rate"] > result["vae"]["rate"]
    assert "mismatch KL(q(z) || p(z))" in run.printed


def small(binarization, count):
    """Images, a small VAE of them and its params."""
    data = load("digits", f"test[:{count}]", binarization=binarization)
    model = image_vae(data, (8,), 2)
    return data, model, jax.jit(model.init)(jax.random.key(0))


def test_at_alpha_0_and_lambda_1_the_loss_is_minus_the_elbo():
    data, model, params = small("dynamic", 16)

    @jax.jit
    def loss(alpha, weight):
        of = infovae.make_loss(model, data, rbf(1.0), alpha, weight)
        return of(params, jax.random.key(1), jnp.asarray(data.images))

    for alpha, weight in ((0.0, 1.0), (0.5, 20.0)):
        value, info = loss(jnp.float32(alpha), jnp.float32(weight))
        expected = (
            (1 - alpha) * info["kl"] + (alpha + weight - 1) * info["mmd"] - info["reconstruction"]
        )
        np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_smooth_encoders_are_compared(tiny):
    run = tiny("smooth_encoder")
    names = ("plain", "denoising", "weight-normalized")
    for name in names:
        assert run.result[name]["test_spectral"] <= run.result[name]["test_frobenius"]
        assert run.result[name]["test_nll"] < -run.result[name]["test_elbo"]
    # Two layers of weights of norm .1 hardly turn at all.
    spectral = {name: run.result[name]["test_spectral"] for name in names}
    assert spectral["weight-normalized"] < 0.5 * spectral["plain"]
    assert all(name in run.printed for name in names)


def test_noise_of_zero_is_the_plain_encoder():
    data, model, params = small("threshold", 4)

    def kl(one):
        return jax.jit(mean_over_batch(one))(params, jax.random.key(1), data.images)[1]["kl"]

    def denoised(noise):
        return lambda *arguments: smooth_encoder.denoised(model, data, noise, *arguments)

    clean = kl(negative_elbo(model, data.prepare))
    np.testing.assert_allclose(kl(denoised(0.0)), clean, rtol=1e-5)
    assert abs(kl(denoised(2.0)) - clean) > 0.01

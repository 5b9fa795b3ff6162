"""The recipes of InfoVAE and of the smooth encoders: what they leave and what their flags do."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recipes import run_recipe

from experiments import infovae, smooth_encoder, vae
from jaxgen.divergences import rbf
from jaxgen.workbench.run_directory import RunDirectory

SMALL = "--hidden 16 --latent-size 3 --epochs 3 --batch-size 256 --nll-samples 10"


def test_infovae_measures_both_models(tmp_path, capsys):
    path = tmp_path / "run"
    assert run_recipe("infovae", f"{SMALL} --alpha 1 --weight 50", path) == 0
    result = json.loads((path / "result.json").read_text())
    for name in ("vae", "infovae"):
        of = result[name]
        assert of["test_elbo"] == pytest.approx(of["test_reconstruction"] - of["test_kl"])
        assert of["rate"] == pytest.approx(of["information"] + of["mismatch"], abs=1e-5)
        assert 0 < of["test_nll"] < -of["test_elbo"]
        assert len(RunDirectory(path / name).metrics()) == 3
        assert (path / "pictures" / f"samples_{name}.png").exists()
    # With no KL at all, from the same start and draws, more is said of x.
    assert result["infovae"]["rate"] > result["vae"]["rate"]
    assert "mismatch KL(q(z) || p(z))" in capsys.readouterr().out


def test_at_alpha_0_and_lambda_1_the_loss_is_minus_the_elbo():
    config = vae.Config(hidden=(8,), latent_size=2)
    data = vae.load_split(config, "test[:16]")
    model = vae.make_model(config, data.images)
    params = jax.jit(model.init)(jax.random.key(0))

    @jax.jit
    def loss(weights):
        of = infovae.make_loss(model, data, rbf(1.0), weights)
        return of(params, jax.random.key(1), jnp.asarray(data.images))

    for alpha, weight in ((0.0, 1.0), (0.5, 20.0)):
        value, info = loss(jnp.array([alpha, weight]))
        expected = (
            (1 - alpha) * info["kl"] + (alpha + weight - 1) * info["mmd"] - info["reconstruction"]
        )
        np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_smooth_encoders_are_compared(tmp_path, capsys):
    path = tmp_path / "run"
    assert run_recipe("smooth_encoder", f"{SMALL} --norm 0.1 --noise 1", path) == 0
    result = json.loads((path / "result.json").read_text())
    names = ("plain", "denoising", "weight-normalized")
    for name in names:
        assert result[name]["test_spectral"] <= result[name]["test_frobenius"]
        assert result[name]["test_nll"] < -result[name]["test_elbo"]
    # Two layers of weights of norm .1 hardly turn at all.
    assert result["weight-normalized"]["test_spectral"] < 0.5 * result["plain"]["test_spectral"]
    assert (path / "pictures" / "validation_elbo.png").exists()
    printed = capsys.readouterr().out
    assert all(name[:8] in printed for name in names)


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("infovae", "--alpha 1.2", "alpha: got 1.2, expected a finite number <= 1"),
        ("infovae", "--alpha 0 --weight 0.5", "weight: got 0.5"),
        ("infovae", "--latent-size 0", "latent_size: got 0"),
        ("smooth_encoder", "--noise -1", "noise: got -1.0"),
        ("smooth_encoder", "--norm 0", "norm: got 0.0"),
    ],
)
def test_bad_arguments_leave_one_line_and_no_run(name, flags, message, tmp_path, capsys):
    path = tmp_path / "run"
    assert run_recipe(name, flags, path) == 2
    assert message in capsys.readouterr().err
    assert not path.exists()


def test_noise_of_zero_is_the_plain_encoder():
    config = smooth_encoder.Config(hidden=(8,), latent_size=2).vae_config()
    data = vae.load_split(config, "test[:4]")
    model = vae.make_model(config, data.images)
    params = jax.jit(model.init)(jax.random.key(0))
    clean = vae.batch_terms(
        smooth_encoder.clean_terms(model, data.prepare),
        params,
        jax.random.key(1),
        jnp.asarray(data.images),
    )

    @jax.jit
    def loss(noise):
        of = smooth_encoder.make_loss(model, data.prepare, noise)
        return of(params, jax.random.key(1), jnp.asarray(data.images))[1]

    np.testing.assert_allclose(loss(0.0)["kl"], clean["kl"].mean(), rtol=1e-5)
    assert abs(loss(2.0)["kl"] - clean["kl"].mean()) > 0.01

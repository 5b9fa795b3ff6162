"""The compression recipe: a thousand images there and back, in as many bits as the ELBO says."""

import json

import jax
import numpy as np
import pytest
from recipes import run_recipe

from experiments import compression, vae
from jaxgen.metrics import bits_back_decode, bits_back_encode
from jaxgen.workbench.run_directory import RunDirectory

SMALL = "--hidden 32 --latent-size 4 --epochs 20 --batch-size 128 --learning-rate 3e-3"


def test_a_thousand_images_are_sent_without_loss_in_minus_elbo_bits(tmp_path, capsys):
    path = tmp_path / "run"
    flags = f"{SMALL} --betas 0.2 1 --buckets 512 --nll-samples 50"
    assert run_recipe("compression", flags, path) == 0
    result = json.loads((path / "result.json").read_text())
    assert result["lossless"]
    assert result["images"] == 1000
    assert abs(result["excess_over_negative_elbo"]) < 0.02
    whole = result["message_bytes"] * 8 - result["initial_bits"]
    assert whole / 1000 == pytest.approx(result["net_bits"])
    assert result["bits_per_dim"] == pytest.approx(result["net_bits"] / 64)
    assert result["nll_bits"] < result["negative_elbo_bits"] < result["dims"]
    # A dearer rate is spared, and paid for in distortion.
    assert result["rate_bits"][1] < result["rate_bits"][0]
    assert result["distortion_bits"][1] > result["distortion_bits"][0]
    for beta in ("0.2", "1"):
        assert len(RunDirectory(path / f"beta_{beta}").metrics()) == 20
    assert {p.stem for p in (path / "pictures").iterdir()} == {"rate_distortion", "what_bob_sees"}
    printed = capsys.readouterr().out
    for expected in ("bits/dim", "% of -ELBO", "what_bob_sees.png", "-log p(x)", str(path)):
        assert expected in printed


def test_gray_levels_are_tables_that_sum_to_one_and_are_inverted():
    config = compression.Config(
        likelihood="discretized_logistic", hidden=(16,), latent_size=3, buckets=64
    )
    images = vae.load_split(config.vae_config(1.0), "test[:5]")
    model = vae.make_model(config.vae_config(1.0), images.images)
    params = jax.jit(model.init)(jax.random.key(0))
    code = compression.make_code(config, model, params, (8, 8, 1))
    np.testing.assert_allclose(code.likelihood(np.zeros(3, np.int32)).sum(axis=1), 1, atol=1e-4)
    symbols = images.images.reshape(5, -1).astype(np.int32)
    np.testing.assert_allclose(code.posterior(symbols[0]).sum(axis=1), 1, atol=1e-4)
    message = bits_back_encode(code, symbols, np.arange(3, dtype=np.uint32))
    decoded, _ = bits_back_decode(code, message, symbols.shape)
    np.testing.assert_array_equal(decoded, symbols)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--betas 0.5", "betas: got (0.5,), expected 1 among them"),
        ("--betas 1 1", "betas: got (1.0, 1.0)"),
        ("--betas 1 -1", "beta: got -1.0, expected a finite number >= 0"),
        ("--buckets 1", "buckets: got 1, expected 2 to 65536"),
        ("--images 1001", "images: got 1001, expected at most 1000"),
        ("--latent-size 0", "latent_size: got 0"),
        ("--nll-samples 0", "nll_samples: got 0"),
    ],
)
def test_bad_arguments_leave_one_line_and_no_run(flags, message, tmp_path, capsys):
    path = tmp_path / "run"
    assert run_recipe("compression", flags, path) == 2
    assert message in capsys.readouterr().err
    assert not path.exists()


def test_without_the_coder_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(compression.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'jaxgen\[compression\]'"):
        compression.Config()

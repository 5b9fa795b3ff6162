"""The recipe of bounds and gradients: its signal-to-noise ratios, its run, what it refuses."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from recipes import run_recipe

from experiments import iwae
from jaxgen.models import LIKELIHOODS, gaussian_vae
from jaxgen.nets import MLP
from jaxgen.workbench.run_directory import RunDirectory

SMALL = "--hidden 8 --latent-size 2 --epochs 2 --batch-size 1297 --nll-samples 30"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    flags = "--gradients pathwise sticking_the_landing --samples 3 --snr-samples 2 8"
    assert run_recipe("iwae", f"{SMALL} {flags}", path) == 0
    return path


def test_a_run_leaves_a_training_per_cell_and_their_comparison(path):
    result = json.loads((path / "result.json").read_text())
    first, second = result["cells"]
    assert (first["gradient"], first["unbiased"]) == ("pathwise", True)
    assert (second["gradient"], second["unbiased"]) == ("sticking_the_landing", False)
    for cell in result["cells"]:
        # Of the same pixels: the more samples, the tighter.
        assert cell["test_elbo"] < cell["test_iwae"] < -cell["test_nll"] + 0.1
        assert 1 <= cell["ess"] <= iwae.WEIGHTS
        records = RunDirectory(path / f"{cell['gradient']}_3").metrics()
        assert [record["epoch"] for record in records] == [1, 2]
        assert records[-1]["validation_elbo"] < records[-1]["validation_iwae"]
        assert records[-1]["train_elbo"] < records[-1]["train_bound"]
        assert 1 <= records[-1]["train_ess"] <= 3
    assert first["test_nll_less_first"] == first["test_nll_less_first_stderr"] == 0
    difference = second["test_nll"] - first["test_nll"]
    assert second["test_nll_less_first"] == pytest.approx(difference, abs=1e-9)
    assert 0 < second["test_nll_less_first_stderr"] < second["test_nll_stderr"]
    # One start and the same draws: the gradients alone differ.
    assert abs(difference) < 0.5
    for name, values in result["snr"].items():
        slope = np.log(values[1] / values[0]) / np.log(4)
        assert result["snr_slopes"][name] == pytest.approx(slope)
    drawn = {file.name for file in (path / "pictures").iterdir()}
    assert drawn == {"learning_curves.png", "signal_to_noise.png"}


def test_the_moments_of_the_gradient_are_those_of_many_draws(monkeypatch):
    model = gaussian_vae(
        MLP((), (2, 2)),
        MLP((), (2, 2, 1, 1)),
        LIKELIHOODS["bernoulli"].distribution,
        latent_size=2,
        x_shape=(2, 2, 1),
    )
    params = model.init(jax.random.key(0))
    x = jnp.array([[1.0, 0, 1, 1], [0, 0, 1, 0]]).reshape(2, 2, 2, 1)
    estimator = iwae.make_estimator(iwae.Config(), iwae.Cell("doubly_reparameterized", 4))

    @jax.jit
    @jax.vmap
    def gradient(key):
        def bound(encoder):
            return iwae.bound_of(model, estimator, {**params, "encoder": encoder}, key, x[1])[0]

        return ravel_pytree(jax.grad(bound)(params["encoder"]))[0]

    draws = np.asarray(gradient(jax.random.split(jax.random.key(1), 10_000)), np.float64)
    monkeypatch.setattr(iwae, "SNR_DRAWS", 4000)
    signals, noises = iwae.encoder_moments(model, estimator, params, jax.random.key(2), x)
    assert noises[1] == pytest.approx(draws.var(axis=0).sum(), rel=0.1)
    assert signals[1] == pytest.approx((draws.mean(axis=0) ** 2).sum(), rel=0.1)


def test_unbiased_gradients_share_the_signal_of_the_quietest(monkeypatch):
    """Two images; the pathwise gradient's own signal, lost in noise, is not what is used."""
    moments = {
        ("pathwise", True): ([0.0, 7.0], [4.0, 16.0]),
        ("doubly reparameterized", True): ([1.0, 4.0], [1.0, 1.0]),
        ("sticking the landing", False): ([9.0, 9.0], [0.1, 0.1]),
    }
    monkeypatch.setattr(
        iwae,
        "encoder_moments",
        lambda model, estimator, *_: moments[estimator.name, estimator.unbiased],
    )
    config = iwae.Config(
        gradients=("pathwise", "doubly_reparameterized", "sticking_the_landing"),
        snr_samples=(2, 8),
    )
    found = iwae.signal_to_noise(config, None, None, jax.random.key(0), None)
    assert found["snr"]["pathwise"] == pytest.approx([0.5, 0.5])
    assert found["snr"]["doubly_reparameterized"] == pytest.approx([np.sqrt(2.5)] * 2)
    assert found["snr"]["sticking_the_landing"] == pytest.approx([np.sqrt(90)] * 2)
    assert list(found["snr_slopes"].values()) == pytest.approx([0, 0, 0], abs=1e-9)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--bound vr-max", "bound: got vr-max, which is not twice differentiable"),
        ("--gradients vimco", "samples: got 1, expected an integer >= 2 (vimco)"),
        ("--gradients vimco --samples 2", "snr_samples: got 1, expected an integer >= 2 (vimco)"),
        ("--gradients patwhise", "gradients: got 'patwhise', expected one of pathwise, stick"),
        ("--gradients pathwise pathwise", "gradients: got ('pathwise', 'pathwise'), expected"),
        ("--samples 0", "samples: got 0, expected an integer >= 1 (pathwise)"),
        ("--samples", "samples: got (), expected one or more, each once"),
        ("--snr-samples 4", "snr_samples: got (4,), expected none, or two or more"),
        ("--bound iwea", "iwea"),
        ("--nll-samples 0", "nll_samples: got 0, expected an integer >= 1"),
        ("--binarization none", "binarization: got 'none' for the gray pixels of digits"),
        ("--batch-size 1298", "batch_size: got 1298, expected at most 1297"),
    ],
)
def test_a_bad_flag_is_named_and_nothing_written(flags, expected, tmp_path, capsys):
    assert run_recipe("iwae", flags, tmp_path / "run") == 2
    assert expected in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert not (tmp_path / "run").exists()

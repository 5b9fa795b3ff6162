"""The recipe of variational inference: its split of the gap on a known model, its run, resumed."""

import json

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear_gaussian import LinearGaussian
from recipes import run_recipe

from experiments import svi
from jaxgen.models import LatentVariableModel
from jaxgen.workbench import fitting as fit_module
from jaxgen.workbench.run_directory import RunDirectory

SMALL = (
    "--inference amortized svi --epochs 2 --hidden --latent-size 2 --images 20 --batch-size 600 "
    "--local-steps 2 --measure-steps 30 --tune-steps 50 --temperatures 4 --chains 2"
)
SCALE = np.array([0.5, 0.9])
KNOWN = LinearGaussian(jnp.array([[1.0, 0.5], [0.0, 1.0], [0.7, 0.2]]), jnp.zeros(3), 0.6)
MODEL = LatentVariableModel(
    init=lambda key: {},
    prior=lambda params: KNOWN.prior,
    encode=lambda params, x: distrax.Independent(
        distrax.Normal(0.3 * x[:2] + params["encoder"], jnp.array(SCALE)), 1
    ),
    decode=lambda params, z: distrax.Independent(distrax.Normal(KNOWN.weights @ z, 0.6), 1),
)
PARAMS = {"encoder": jnp.array([0.2, -0.4]), "decoder": {}}
XS = jnp.array([[0.5, -1.0, 0.3], [1.5, 0.2, -0.8]])


def elbo_at(mean, scale, x):
    reconstruction, kl = KNOWN.elbo_terms(x, mean, scale)
    return reconstruction - kl


def test_semi_amortized_inference_starts_at_the_encoder_and_climbs(key):
    """The decoder is taught by phi after the local steps, the encoder by its own."""
    config = svi.Config(latent_size=2, local_steps=20, batch_size=2)
    way = svi.semi_amortized(config, MODEL)
    x = XS[0]
    start = svi.encode(MODEL, PARAMS, x)
    state = way.begin(PARAMS, XS)

    @jax.jit
    def both(state, key):
        key_infer, key_update = jax.random.split(key)
        return way.infer(PARAMS, key_infer, x), way.update(state, key_update, (jnp.arange(2), XS))

    phi, (state, info) = both(state, key)
    assert elbo_at(phi[0], np.exp(phi[1]), x) > elbo_at(start[0], SCALE, x) + 0.1
    assert np.abs(phi - start).max() < 20 * 2 * config.local_learning_rate  # 20 steps of Adam
    assert info["all_finite"]
    moved = np.abs(state.params["encoder"] - PARAMS["encoder"])
    np.testing.assert_allclose(moved, config.learning_rate, rtol=1e-3)  # Adam's first step


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing happened to."""
    path = tmp_path_factory.mktemp("whole") / "run"
    assert run_recipe("svi", SMALL, path) == 0
    return path


def untimed(tree):
    if not isinstance(tree, dict):
        return tree
    return {name: untimed(of) for name, of in tree.items() if "seconds" not in name}


def result(path):
    return untimed(json.loads((path / "result.json").read_text()))


def test_the_run_leaves_its_numbers_and_pictures(whole):
    numbers = result(whole)
    assert list(numbers["ways"]) == ["amortized", "svi"]
    for name, of in numbers["ways"].items():
        for split in ("train", "test"):
            assert of[f"{split}_elbo"] < of[f"{split}_log_px"] + 0.1
            assert of[f"{split}_best_elbo"] < of[f"{split}_log_px"] + 0.1
        assert [r["epoch"] for r in RunDirectory(whole / name).metrics()] == [1, 2]
    for split, gap in numbers["gaps"].items():
        total = numbers["ways"]["amortized"]
        difference = total[f"{split}_log_px"] - total[f"{split}_elbo"]
        assert gap["total"]["mean"] == pytest.approx(difference, abs=1e-9)
        parts = [gap[of]["mean"] for of in ("approximation", "amortization", "generalization")]
        assert sum(parts) == pytest.approx(difference, abs=1e-9)
        assert gap["generalization"]["mean"] > 0  # the encoder had hardly been trained
    assert numbers["drawn_lower"] < numbers["drawn_upper"] + 0.2
    drawn = {file.name for file in (whole / "pictures").iterdir()}
    assert drawn == {"learning_curves.png", "gaps.png", "local_steps.png"}


def test_a_killed_run_resumes_to_the_bit(whole, tmp_path, monkeypatch):
    """In the first epoch of SVI, whose variational parameters of each image must come back."""

    class Killed(BaseException):
        """Takes the place of a kill that this process would not survive."""

    monkeypatch.setattr(fit_module, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    save, path = fit_module.save, tmp_path / "run"

    def save_and_die(directory, step, tree):
        save(directory, step, tree)
        if step == 1 and "svi" in directory.parts[-2]:
            raise Killed

    monkeypatch.setattr(fit_module, "save", save_and_die)
    with pytest.raises(Killed):
        run_recipe("svi", SMALL, path)
    assert run_recipe("svi", SMALL + " --resume", path) == 0
    assert result(path) == result(whole)
    for name in ("amortized", "svi"):
        runs = [RunDirectory(of / name).metrics() for of in (path, whole)]
        resumed, uninterrupted = ([untimed(record) for record in run] for run in runs)
        assert resumed == uninterrupted


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--inference svi", "inference: got ('svi',), expected amortized among them"),
        ("--inference amortized", "inference: got 'amortized', expected one of amortized, semi_a"),
        ("--local-steps 0", "local_steps: got 0, expected an integer >= 1"),
        ("--images 1", "images: got 1, expected an integer >= 2"),
        ("--images 301", "images: got 301, expected at most 300, the test images of digits"),
        ("--batch-size 1298", "batch_size: got 1298, expected at most 1297, the train images"),
        ("--local-learning-rate 0", "local_learning_rate: got 0.0, expected a positive"),
    ],
)
def test_a_bad_flag_is_named_and_nothing_written(flags, expected, tmp_path, capsys):
    assert run_recipe("svi", flags, tmp_path / "run") == 2
    assert expected in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert not (tmp_path / "run").exists()

"""The DCGAN recipe: what it leaves, that it resumes exactly, and what its numbers mean."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recipes import compilations, run_interrupted, run_recipe

from experiments import dcgan
from jaxgen.workbench.run_directory import RunDirectory

TINY = "--epochs 2 --batch-size 432 --width 2 --latent-size 3"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("dcgan") / "whole"
    with compilations() as compiled:
        assert run_recipe("dcgan", TINY, run_dir) == 0
    assert compiled["one_epoch"] == 1
    return run_dir


def test_a_run_leaves_its_numbers_and_pictures(whole):
    result = json.loads((whole / "result.json").read_text())
    assert result["frechet"] > result["frechet_of_reals"] > 0
    assert all(np.isfinite(value) for value in result.values())
    records = RunDirectory(whole).metrics()
    assert [record["epoch"] for record in records] == [1, 2]
    names = {"samples", "over_time", "neighbors", "frechet", "critic"}
    assert {path.stem for path in (whole / "pictures").glob("*.png")} == names


def test_an_interrupted_run_resumes_to_the_same_end(whole, tmp_path, capsys):
    assert run_interrupted("dcgan", TINY, tmp_path / "run", epoch=1) == 143
    assert "--resume" in capsys.readouterr().err
    assert run_recipe("dcgan", TINY + " --resume", tmp_path / "run") == 0
    ends = [json.loads((p / "result.json").read_text()) for p in (whole, tmp_path / "run")]
    for end in ends:
        del end["seconds"], end["training_seconds"]
    assert ends[0] == ends[1]


def test_data_score_well_and_repetition_and_memory_are_seen(key):
    config = dcgan.Config()
    train, validation, test = (dcgan.images(config, s) for s in ("train", "validation", "test"))
    features = dcgan.make_features(config, (8, 8, 1))
    judge = jax.jit(dcgan.make_judge(features, train.images, validation.images))
    of_data, of_copies, of_memory = (
        {name: float(value) for name, value in judge(jnp.asarray(images)).items()}
        for images in (
            test.images[:200],
            np.broadcast_to(test.images[:1], (200, 8, 8, 1)),
            train.images[:200],
        )
    )
    assert of_data["frechet"] < 0.2 * of_copies["frechet"]
    assert of_data["duplicates"] < 0.1
    assert of_copies["duplicates"] == 1
    assert 0.8 < of_data["distance_to_train"] < 1.2
    assert of_memory["distance_to_train"] < 1e-2


@pytest.mark.parametrize("size", [8, 28, 32, 64])
def test_players_fit_the_images(size):
    model = dcgan.make_model(dcgan.Config(width=2, critic="spectral_norm"), (size, size, 1))
    generator, critic = jax.eval_shape(model.init, jax.random.key(0))
    layers = [name for name in critic["params"] if name.startswith("StridedConv")]
    assert len(layers) == {8: 2, 28: 2, 32: 3, 64: 4}[size]
    assert set(generator) == {"params", "batch_stats"}


def test_bad_arguments_leave_one_line_and_no_run(tmp_path, capsys):
    for flags, message in (
        ("--width 0", "width: got 0, expected an integer >= 1"),
        ("--loss wasserstein", "critic: got 'batch_norm' with the wasserstein loss"),
        ("--ema-decay 1", "ema_decay: got 1.0, expected a number in (0, 1)"),
        ("--batch-size 1298", "batch_size: got 1298, expected at most 1297"),
        ("--dataset digit", "dataset: got 'digit'"),
        (f"--features {tmp_path}", "features: got"),
    ):
        assert run_recipe("dcgan", flags, tmp_path / "run") == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists()

"""The classifier recipe: what it leaves, that it resumes exactly, and the features it gives."""

import json

import chex
import jax.numpy as jnp
import numpy as np
import pytest
from recipes import run_interrupted, run_recipe

from experiments import classifier as classifier_recipe
from jaxgen.data import from_arrays, load
from jaxgen.train import CheckpointError
from jaxgen.workbench.features import feature_logits, image_features, load_classifier
from jaxgen.workbench.run_directory import RunDirectory

SMALL = "--epochs 8 --num-features 16"


def result(path):
    found = json.loads((path / "result.json").read_text())
    del found["seconds"]
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("classifier") / "run"
    assert run_recipe("classifier", SMALL, path) == 0
    return path


def test_a_run_leaves_its_numbers_and_a_classifier_that_has_them(whole):
    found = result(whole)
    assert found["test_accuracy"] > 0.85
    assert found["real_frechet"] > 0
    assert len(RunDirectory(whole).metrics()) == 8
    assert (whole / "pictures" / "learning_curve.png").exists()
    test, loaded = load("digits", "test"), load_classifier(whole)
    features = image_features(loaded, test.images)
    assert features.shape == (300, 16)
    accuracy = np.mean(np.argmax(feature_logits(loaded, features), axis=1) == test.labels)
    assert accuracy == pytest.approx(found["test_accuracy"], abs=1e-6)
    # In whatever batches, and what the network is trained on.
    np.testing.assert_allclose(
        image_features(loaded, test.images[:7], batch_size=3), features[:7], rtol=1e-4, atol=1e-5
    )
    logits = loaded.net.apply(loaded.params, jnp.asarray(test.images, jnp.float32) / 255)
    np.testing.assert_allclose(feature_logits(loaded, features), logits, rtol=1e-4, atol=1e-4)


def test_an_interrupted_run_resumes_to_the_same_end(whole, tmp_path, capsys):
    path = tmp_path / "run"
    assert run_interrupted("classifier", SMALL, path, epoch=3) == 143
    assert "--resume" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"features: got .*, expected the run directory of a fin"):
        load_classifier(path)
    assert run_recipe("classifier", SMALL + " --resume", path) == 0
    assert result(path) == result(whole)
    chex.assert_trees_all_equal(load_classifier(path).params, load_classifier(whole).params)
    file = next(file for file in (path / "classifier").rglob("*") if file.parent.name == "d")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(CheckpointError, match="damaged"):
        load_classifier(path)


def test_misuse_is_named(whole, tmp_path, capsys, monkeypatch):
    loaded = load_classifier(whole)
    with pytest.raises(ValueError, match=r"images: got float32 of shape \(2, 8, 8, 1\), expected"):
        image_features(loaded, jnp.zeros((2, 8, 8, 1)))
    with pytest.raises(ValueError, match=r"expected uint8 of shape \('n', 8, 8, 1\)"):
        image_features(loaded, np.zeros((2, 28, 28, 1), np.uint8))
    for flags, message in (
        ("--num-features 1", "num_features: got 1, expected an integer >= 2"),
        ("--batch-size 2000", "batch_size: got 2000, expected at most 1297"),
        ("--dataset nothing", "dataset: got "),
    ):
        assert run_recipe("classifier", flags, tmp_path / "run") == 2
        assert message in capsys.readouterr().err
    images = from_arrays(np.zeros((4, 8, 8, 1), np.uint8))
    monkeypatch.setattr(classifier_recipe, "load", lambda *_, **__: images)
    assert run_recipe("classifier", SMALL, tmp_path / "run") == 2
    assert "dataset: got digits, which has no labels" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()

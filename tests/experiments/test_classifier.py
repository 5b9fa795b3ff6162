"""The classifier recipe: the features that it leaves to other recipes."""

import shutil

import jax.numpy as jnp
import numpy as np
import pytest
from recipes import run_recipe

from jaxgen import workbench
from jaxgen.data import from_arrays, load
from jaxgen.train import CheckpointError
from jaxgen.workbench import Images, feature_logits, image_features, load_classifier


def test_a_run_leaves_a_classifier_that_has_its_numbers(tiny):
    found = tiny("classifier").result
    assert found["test_accuracy"] > 0.85
    assert found["real_frechet"] > 0
    test, loaded = load("digits", "test"), load_classifier(tiny("classifier").path)
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


def test_an_unfinished_or_damaged_classifier_is_refused(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"features: got .*, expected the run directory of a fin"):
        load_classifier(tmp_path)
    shutil.copytree(tiny("classifier").path / "classifier", tmp_path / "classifier")
    (file,) = (tmp_path / "classifier").rglob("arrays.npz")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(CheckpointError, match="damaged"):
        load_classifier(tmp_path)


def test_features_are_of_bytes_of_the_shape_that_was_learned(tiny):
    loaded = load_classifier(tiny("classifier").path)
    with pytest.raises(ValueError, match=r"images: got float32 of shape \(2, 8, 8, 1\), expected"):
        image_features(loaded, jnp.zeros((2, 8, 8, 1)))
    with pytest.raises(ValueError, match=r"expected uint8 of shape \('n', 8, 8, 1\)"):
        image_features(loaded, np.zeros((2, 28, 28, 1), np.uint8))


def test_images_without_labels_are_refused(tmp_path, capsys, monkeypatch):
    images = from_arrays(np.zeros((4, 8, 8, 1), np.uint8))
    monkeypatch.setattr(workbench, "load_images", lambda _: Images(images, images, images))
    assert run_recipe("classifier", "", tmp_path / "run") == 2
    assert "dataset: got digits, which has no labels" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()

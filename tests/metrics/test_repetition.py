"""What held-out data score, and that repetition and memory are seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import distance

from jaxgen.data import load
from jaxgen.metrics import repetition, repetition_scale


@pytest.fixture(scope="module")
def digits():
    return {s: load("digits", s).images / np.float32(255) for s in ("train", "validation", "test")}


@pytest.fixture(scope="module")
def scale(digits):
    return repetition_scale(digits["train"], digits["validation"])


def test_the_scale_is_that_of_held_out_data(digits, scale):
    train, unseen = (digits[s].reshape(-1, 64) for s in ("train", "validation"))
    between = np.sort(distance.cdist(unseen, unseen), axis=1)[:, 1]
    np.testing.assert_allclose(scale.radius, np.quantile(between, 0.01), rtol=1e-5)
    to_train = np.median(distance.cdist(unseen, train).min(axis=1))
    np.testing.assert_allclose(scale.to_train, to_train, rtol=1e-5)


def test_data_score_well_and_repetition_and_memory_are_seen(digits, scale):
    judge = jax.jit(repetition)
    of_data, of_copies, of_memory = (
        judge(jnp.asarray(images), scale)
        for images in (
            digits["test"],
            np.broadcast_to(digits["test"][:1], (300, 8, 8, 1)),
            digits["train"][:300],
        )
    )
    assert of_data.duplicates < 0.1
    assert of_copies.duplicates == 1
    assert 0.8 < of_data.distance_to_train < 1.2
    assert of_memory.distance_to_train < 1e-2


def test_sets_of_unlike_shape_or_in_bytes_are_refused(digits):
    with pytest.raises(ValueError, match="held_out: got samples of shape"):
        repetition_scale(digits["train"], digits["test"][:, 1:])
    with pytest.raises(ValueError, match="train: got"):
        repetition_scale(load("digits", "train").images, digits["test"])

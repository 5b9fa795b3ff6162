"""Random views: where windows are cut, what is mirrored, and that each image has its own draw."""

import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.data import compose, random_crop, random_flip, resize, scale

IMAGES = jnp.arange(400 * 3 * 4, dtype=jnp.float32).reshape(400, 3, 4, 1)


def test_every_window_is_as_likely(key):
    crops = jax.jit(random_crop((2, 2)))(key, IMAGES)
    corners = np.asarray(crops[:, 0, 0, 0] - IMAGES[:, 0, 0, 0])
    down, across = np.divmod(corners, 4)
    assert {*down} == {0, 1}
    assert {*across} == {0, 1, 2}
    # A false alarm once in a thousand keys.
    assert stats.chisquare(np.unique(corners, return_counts=True)[1]).pvalue > 1e-3
    rows, columns = down.astype(int), across.astype(int)
    for i in range(20):
        window = IMAGES[i, rows[i] : rows[i] + 2, columns[i] : columns[i] + 2]
        np.testing.assert_array_equal(crops[i], window)


def test_half_are_mirrored(key):
    flipped = jax.jit(random_flip)(key, IMAGES)
    same = np.all(flipped == IMAGES, axis=(1, 2, 3))
    mirrored = np.all(flipped == IMAGES[:, :, ::-1], axis=(1, 2, 3))
    assert np.all(same ^ mirrored)
    assert stats.binomtest(int(same.sum()), 400).pvalue > 1e-3


def test_they_follow_prepare_each_with_its_own_key(key):
    images = jnp.asarray(np.random.default_rng(0).integers(0, 256, (6, 5, 5, 3), np.uint8))
    view = compose(scale, resize((9, 8)), random_crop((8, 8)), random_flip)
    assert view == compose(scale, resize((9, 8)), random_crop((8, 8)), random_flip)
    found = jax.jit(view)(key, images)
    keys = jax.random.split(jax.random.clone(key), 4)
    resized = jax.image.resize(images / 255.0, (6, 9, 8, 3), "bilinear")
    expected = random_flip(keys[3], random_crop((8, 8))(keys[2], resized))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_composed_they_prepare_one_image_as_a_batch_of_one(key):
    images = np.arange(30, dtype=np.uint8).reshape(1, 5, 6, 1)
    prepare = compose(scale, random_flip)
    for each in jax.random.split(key, 8):
        of_one, of_batch = prepare(jax.random.clone(each), images[0]), prepare(each, images)
        np.testing.assert_array_equal(of_one, of_batch[0])


def test_refused(key):
    with pytest.raises(ValueError, match=r"size: got \(4, 2\), expected at most \(3, 4\)"):
        random_crop((4, 2))(key, IMAGES)
    with pytest.raises(ValueError, match="transforms: got none"):
        compose()
    with pytest.raises(ValueError, match="size: got 0, expected an integer >= 1"):
        random_crop((0, 2))
    for made in map(inspect.unwrap, (resize, random_crop)):  # whose annotations are not checked
        for size in (2, None, (2,), (2, 2, 1)):
            with pytest.raises(
                ValueError, match=rf"size: got {re.escape(repr(size))}, expected \(h"
            ):
                made(size)
    with pytest.raises(ValueError, match="images: got uint8, expected floats"):
        resize((2, 2))(key, IMAGES.astype(jnp.uint8))


@pytest.mark.parametrize(
    "transform", [random_flip, random_crop((2, 2)), resize((2, 2))], ids=["flip", "crop", "resize"]
)
def test_one_image_is_no_batch(transform, key):
    """Its rows would be taken for images: each flipped by itself."""
    with pytest.raises(ValueError, match=r"images: got shape \(4, 4, 1\), expected \(n, height"):
        transform(key, jnp.zeros((4, 4, 1)))

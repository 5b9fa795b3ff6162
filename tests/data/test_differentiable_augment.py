"""Augmentation against numpy, written out from the paper's code, and its gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import stats

from jaxgen.data import compose, random_color, random_cutout, random_translation

N, HEIGHT, WIDTH = 600, 8, 6
X = jax.random.uniform(jax.random.key(0), (N, HEIGHT, WIDTH, 3), minval=0.1)


def run(augment, key, x=X):
    return np.asarray(jax.jit(augment)(key, x))


def moved(image, down, right, fill):
    """The image moved by whole pixels, in numpy."""
    found = np.full_like(image, fill)
    for i in range(HEIGHT):
        for j in range(WIDTH):
            if 0 <= i - down < HEIGHT and 0 <= j - right < WIDTH:
                found[i, j] = image[i - down, j - right]
    return found


def test_translations_are_whole_pixels_each_as_likely(key):
    """Shares of .25 and .25: 2 of 8 rows, 2 of 6 columns (1.5, rounded). False alarm: 1e-4."""
    found = run(random_translation(0.25, fill=0.5), key)
    counts = dict.fromkeys(((d, r) for d in range(-2, 3) for r in range(-2, 3)), 0)
    for image, other in zip(np.asarray(X), found, strict=True):
        (by,) = [by for by in counts if np.array_equal(moved(image, *by, 0.5), other)]
        counts[by] += 1
    assert stats.chisquare(list(counts.values())).pvalue > 1e-4


@pytest.mark.parametrize("share", [0.4, 0.5])
def test_a_cutout_is_a_rectangle_whose_middle_is_anywhere(share, key):
    """The paper's: rows of the hole by their middle, cut at the border. False alarm: 1e-4."""
    found = run(random_cutout(share, fill=-1.0), key)
    holes = (found == -1).all(axis=-1)
    np.testing.assert_array_equal(found, np.where(holes[..., None], -1, X))
    for axis, size in ((1, HEIGHT), (2, WIDTH)):
        length = int(size * share + 0.5)
        middles = range(size + 1 - length % 2)
        rows = [np.clip(m - length // 2 + np.arange(length), 0, size - 1) for m in middles]
        expected = [tuple(np.isin(np.arange(size), row)) for row in rows]
        assert len(set(expected)) == len(expected)
        counts = dict.fromkeys(expected, 0)
        for hole in holes:
            counts[tuple(hole.any(axis=2 - axis))] += 1
        assert stats.chisquare(list(counts.values())).pvalue > 1e-4
    whole = holes.any(axis=2)[:, :, None] & holes.any(axis=1)[:, None]
    np.testing.assert_array_equal(holes, whole)


def test_colors_move_by_one_number_and_two_factors(key):
    """Each number uniform: Kolmogorov and Smirnov, false alarm 1e-4."""
    off = {"brightness": 0.0, "saturation": 0.0, "contrast": 0.0}
    x, x_gray = np.asarray(X), np.asarray(X).mean(axis=-1, keepdims=True)
    x_mean = np.asarray(X).mean(axis=(1, 2, 3), keepdims=True)
    of = {"brightness": (0.25, 0.0, 1.0), "saturation": (1.0, x_gray, x - x_gray)}
    of["contrast"] = (0.5, x_mean, x - x_mean)
    for name, (width, kept, stretched) in of.items():
        found = run(random_color(**{**off, name: width}), jax.random.clone(key))
        if name == "brightness":
            draws = (found - x).mean(axis=(1, 2, 3))
            expected = x + draws[:, None, None, None]
        else:
            draws = np.sum((found - kept) * stretched, (1, 2, 3)) / np.sum(stretched**2, (1, 2, 3))
            expected = kept + draws[:, None, None, None] * stretched
            draws = draws - 1
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert stats.kstest(draws, "uniform", (-width, 2 * width)).pvalue > 1e-4, name


IDENTITIES = {
    "translation": random_translation(0.0),
    "cutout": random_cutout(0.0),
    "color": random_color(brightness=0.0, saturation=0.0, contrast=0.0),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_one_that_changes_nothing_changes_no_bit(name, key):
    np.testing.assert_array_equal(run(IDENTITIES[name], key), X)
    assert IDENTITIES[name] == eval(repr(IDENTITIES[name]))


def test_the_gradient_passes_through(key):
    augment = compose(random_color(), random_translation(0.25), random_cutout(0.5))
    x, weights = X[:2], jax.random.normal(jax.random.key(1), X[:2].shape)
    seen = jax.jit(lambda x: jnp.sum(weights * augment(jax.random.clone(key), x) ** 2))
    check_grads(seen, (x,), order=1, modes=["rev"], atol=1e-2, rtol=1e-2, eps=1e-2)
    assert (np.asarray(jax.grad(seen)(x)) != 0).mean() > 0.1


def test_what_is_no_batch_of_float_images_is_refused(key):
    for augment in (random_translation(), random_cutout(), random_color()):
        for x in (X[0], (255 * X).astype(jnp.uint8)):
            with pytest.raises(ValueError, match=r"images: got .* of shape .*, expected floats of"):
                augment(key, x)
    for make in (random_translation, random_cutout):
        with pytest.raises(ValueError, match=r"share: got 1\.5, expected a number in \[0, 1\]"):
            make(1.5)


@pytest.mark.parametrize("name", ["brightness", "saturation", "contrast"])
def test_a_negative_range_of_colors_is_refused(name):
    with pytest.raises(ValueError, match=rf"{name}: got -1.0, expected a number >= 0"):
        random_color(**{name: -1.0})

"""The Wasserstein distance against every matching, scipy on a line, and shifts."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.divergences import wasserstein_distance

XS, YS = np.random.default_rng(0).normal(size=(2, 5, 2)).astype(np.float32)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_it_is_the_cheapest_of_all_matchings(order):
    gaps = np.linalg.norm(XS[:, None].astype(float) - YS, axis=-1)
    matchings = map(list, itertools.permutations(range(5)))
    means = [(gaps[range(5), matching] ** order).mean() for matching in matchings]
    found = wasserstein_distance(XS, jnp.asarray(YS), order=order)
    np.testing.assert_allclose(found, min(means) ** (1 / order), rtol=1e-12)


def test_a_shift_moves_everything_by_its_length():
    for order in (1, 2):
        shifted = XS[::-1] + np.array([3.0, 4.0])
        np.testing.assert_allclose(wasserstein_distance(XS, shifted, order=order), 5, rtol=1e-6)


def test_on_a_line_it_is_scipys():
    expected = stats.wasserstein_distance(XS[:, 0], YS[:, 0])
    np.testing.assert_allclose(wasserstein_distance(XS[:, 0], YS[:, 0]), expected, rtol=1e-6)


def test_what_is_not_finite_is_nan():
    assert np.isnan(wasserstein_distance(XS, YS * np.float32([np.inf, 1])))


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (YS[:4], {}, "q_samples: got 4 of them, expected 5, as p_samples has"),
        (YS[:, :1], {}, r"q_samples: got samples of shape \(1,\), expected \(2,\)"),
        (YS, {"order": 0}, "order: got 0, expected an integer >= 1"),
    ],
)
def test_misuse_is_named(samples, options, message):
    with pytest.raises(ValueError, match=message):
        wasserstein_distance(XS, samples, **options)

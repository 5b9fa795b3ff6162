"""Checked samples, exact ties, neighbors in blocks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import distance

from jaxgen.metrics import duplicate_share, precision_recall
from jaxgen.pairwise import (
    is_nearest,
    map_distances,
    nearest,
    sample_sets,
    sample_vectors,
    squared_distances,
    squared_radii,
)
from jaxgen.two_sample import mean_test, nearest_neighbor_test, neighbor_accuracy

RNG = np.random.default_rng(0)


def widened(xs, columns):
    """With more columns of zeros, which change no distance."""
    return jnp.pad(xs, ((0, 0), (0, columns - xs.shape[1])))


@pytest.mark.parametrize(("dims", "high"), [(17, 1), (784, 1), (784, 16), (20, 255)])
def test_distances_of_whole_numbers_are_exact_in_many_dimensions(dims, high):
    xs, ys = RNG.integers(0, high, size=(2, 30, dims), endpoint=True)
    found = squared_distances(jnp.asarray(xs, jnp.float32), jnp.asarray(ys, jnp.float32))
    np.testing.assert_array_equal(found, distance.cdist(xs, ys, "sqeuclidean"))


def test_a_column_of_zeros_changes_no_share_of_neighbors():
    """Ties among bits were lost to rounding from 17 columns on."""
    bits = jnp.asarray(RNG.integers(0, 2, size=(2, 200, 16)), jnp.float32)
    more = [widened(xs, 17) for xs in bits]
    np.testing.assert_array_equal(precision_recall(*bits, 1), precision_recall(*more, 1))
    np.testing.assert_array_equal(neighbor_accuracy(*bits), neighbor_accuracy(*more))
    np.testing.assert_array_equal(nearest_neighbor_test(*bits), nearest_neighbor_test(*more))


def test_among_one_hot_vectors_all_are_nearest():
    e = jnp.eye(20)
    np.testing.assert_allclose(neighbor_accuracy(e[:10], e[10:]), [9 / 19] * 2, rtol=1e-6)


def test_of_several_at_the_least_distance_all_are_nearest():
    squares = jnp.array([[2.0, 1.0, 1.0], [0.0, 3.0, jnp.inf]])
    np.testing.assert_array_equal(is_nearest(squares), [[False, True, True], [True, False, False]])


@pytest.mark.parametrize("dims", [3, 40])
def test_radii_are_scikit_learns_whatever_the_blocks(dims):
    points = jnp.asarray(RNG.normal(size=(23, dims)), jnp.float32)
    expected = np.sort(distance.cdist(points, points, "sqeuclidean"), axis=1)[:, 2]
    for block_size in (5, 100):
        found = squared_radii(points, 2, block_size=block_size)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_memory_of_neighbors_does_not_grow_with_the_square():
    """20,000 samples of 784 numbers: their differences would take 1.25 TB, distances 1.6 GB.

    With jaxlib 0.10.1, which fuses less than others, six copies of the samples: .38 GB.
    """

    def memory(search, count):
        samples = jax.ShapeDtypeStruct((count, 784), jnp.float32)
        return jax.jit(search).lower(samples).compile().memory_analysis().temp_size_in_bytes

    for search in (lambda xs: duplicate_share(xs, 1.0), lambda xs: nearest_neighbor_test(xs, xs)):
        half, whole = memory(search, 10_000), memory(search, 20_000)
        assert whole < 4e8
        assert whole < 2.1 * half  # the square would be 4 times as much


def test_what_is_known_of_each_query_is_handed_on():
    points, queries = jnp.array([[0.0], [2.0]]), jnp.array([[0.5], [9.0]])
    found = map_distances(
        lambda squares, scale: scale * jnp.min(squares), queries, points, jnp.array([4.0, 1.0])
    )
    np.testing.assert_allclose(found, [1.0, 49.0])


def test_one_rule_for_samples_of_every_test_and_metric(x64):
    """Lists, NumPy's float64 beside half precision, images: promoted and flattened."""
    images = RNG.normal(size=(4, 2, 3))
    xs, ys = sample_vectors(p=jnp.asarray(images, jnp.bfloat16), q=images.tolist())
    assert xs.dtype == ys.dtype == jnp.float64
    assert xs.shape == ys.shape == (4, 6)
    (half,) = sample_sets(p=jnp.asarray(images, jnp.float16))
    assert half.dtype == jnp.float32
    assert half.shape == (4, 2, 3)
    lists = images.tolist(), (images + 1).tolist()
    for compare in (mean_test, lambda xs, ys: precision_recall(xs, ys, 1)):
        np.testing.assert_array_equal(compare(*lists), compare(images, jnp.asarray(images + 1)))


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({"p": jnp.zeros((1, 3))}, r"p: got shape \(1, 3\), expected at least 2 samples along the"),
        ({"p": jnp.zeros(())}, r"p: got shape \(\), expected at least 2 samples"),
        ({"p": jnp.zeros((2, 0))}, r"p: got shape \(2, 0\)"),
        ({"p": jnp.zeros((2, 3), jnp.uint8)}, "p: got uint8, expected floating-point numbers"),
        ({"p": [[1, 2], [3, 4]]}, "p: got int32, expected floating-point numbers"),
        ({"p": [[1.0], [2.0, 3.0]]}, "p: got list, expected an array"),
        (
            {"p": jnp.zeros((2, 3)), "q": jnp.zeros((2, 3, 1))},
            r"q: got samples of shape \(3, 1\), expected \(3,\), as p has",
        ),
    ],
)
def test_samples_that_are_none_are_refused_by_name(sets, message):
    with pytest.raises(ValueError, match=message):
        sample_sets(2, **sets)


@pytest.mark.parametrize("shapes", [((2, 3, 3), (4, 3, 3)), ((2, 3), (4, 5)), ((3,), (3,))])
def test_what_are_no_matrices_of_as_many_columns_have_no_squared_distances(shapes):
    with pytest.raises(ValueError, match="ys: got shapes"):
        squared_distances(*map(jnp.zeros, shapes))


@pytest.mark.parametrize("dims", [3, 40])
def test_the_nearest_are_scipys_whatever_the_blocks(dims):
    queries, points = (jnp.asarray(RNG.normal(size=(n, dims)), jnp.float32) for n in (7, 23))
    expected = distance.cdist(queries, points)
    for block_size in (5, 100):
        found = nearest(queries, points, block_size=block_size)
        np.testing.assert_array_equal(found.which, expected.argmin(axis=1))
        np.testing.assert_allclose(found.distance, expected.min(axis=1), rtol=1e-5)
    with pytest.raises(ValueError, match="queries: got samples of shape"):
        nearest(queries[:, 1:], points)

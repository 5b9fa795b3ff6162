"""Kernels against scikit-learn and scipy, their edges, and the median heuristic."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import distance
from sklearn.metrics import pairwise

from jaxgen.divergences import (
    as_kernel,
    inverse_multiquadric,
    kernel_mixture,
    laplace,
    median_heuristic,
    mmd_unbiased,
    negative_distance,
    polynomial,
    rational_quadratic,
    rbf,
)

RNG = np.random.default_rng(0)
XS, YS = RNG.normal(size=(7, 3)), RNG.normal(size=(5, 3))
SQUARES = distance.cdist(XS, YS, "sqeuclidean")
KERNELS = {
    "rbf": (rbf(0.7), pairwise.rbf_kernel(XS, YS, gamma=1 / (2 * 0.7**2))),
    "laplace": (laplace(0.7), pairwise.laplacian_kernel(XS, YS, gamma=1 / 0.7)),
    "inverse_multiquadric": (inverse_multiquadric(2.0), 2 / np.sqrt(4 + SQUARES)),
    "wae": (inverse_multiquadric(2.0, 1.0), 4 / (4 + SQUARES)),
    "rational_quadratic": (rational_quadratic(0.7, 2.5), (1 + SQUARES / 2.45) ** -2.5),
    "polynomial": (polynomial(), pairwise.polynomial_kernel(XS, YS)),
    "linear": (polynomial(1, scale=1.0, offset=0.0), XS @ YS.T),
    "negative_distance": (negative_distance, -np.sqrt(SQUARES)),
    "mixture": (
        kernel_mixture(rbf(0.7), laplace(0.7)),
        (
            pairwise.rbf_kernel(XS, YS, gamma=1 / (2 * 0.7**2))
            + pairwise.laplacian_kernel(XS, YS, gamma=1 / 0.7)
        )
        / 2,
    ),
}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_agree_with_peers(name, x64):
    kernel, expected = KERNELS[name]
    np.testing.assert_allclose(kernel(jnp.asarray(XS), jnp.asarray(YS)), expected, rtol=1e-12)


def test_kernels_of_equal_calls_are_equal_and_read_as_their_call():
    assert rbf(1.0) == rbf(1.0) != rbf(2.0)
    assert hash(polynomial(2)) == hash(polynomial(degree=2))
    made = kernel_mixture(rbf(0.5), negative_distance)
    assert repr(made) == "kernel_mixture(rbf(0.5), negative_distance)"
    assert made == kernel_mixture(rbf(0.5), negative_distance)


def test_another_bandwidth_traces_nothing_anew_and_has_a_gradient():
    xs, ys = jnp.asarray(XS, jnp.float32), jnp.asarray(YS, jnp.float32)
    total = jax.jit(chex.assert_max_traces(lambda kernel: jnp.sum(kernel(xs, ys)), n=1))
    for bandwidth in (0.5, 0.7, 2.0):
        expected = np.sum(np.exp(-SQUARES / 2 / bandwidth**2))
        assert float(total(kernel_mixture(rbf(bandwidth)))) == pytest.approx(expected, rel=1e-5)
    slope = jax.jit(jax.grad(lambda b: mmd_unbiased(xs, ys, rbf(b)).value))(0.7)
    of_own = jax.grad(
        lambda b: (
            mmd_unbiased(
                xs, ys, lambda x, y: jnp.exp(-jnp.sum((x[:, None] - y) ** 2, -1) / 2 / b**2)
            ).value
        )
    )(0.7)
    assert float(slope) == pytest.approx(float(of_own), rel=1e-4)


def test_half_precision_is_computed_in_full():
    xs, ys = (jnp.asarray(s, jnp.bfloat16) for s in (XS, YS))
    for kernel, _ in KERNELS.values():
        found = kernel(xs, ys)
        assert found.dtype == jnp.float32
        expected = kernel(xs.astype(jnp.float32), ys.astype(jnp.float32))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", KERNELS)
def test_gradients_are_finite_at_equal_points(name):
    xs = jnp.asarray(XS, jnp.float32)
    gradient = jax.grad(lambda ys: jnp.sum(KERNELS[name][0](xs, ys)))(xs)
    assert jnp.isfinite(gradient).all()


def test_many_dimensions_take_the_matrix_product_and_stay_precise_far_from_the_origin():
    """Without the common center the squared distances would drown in 100² times the rounding."""
    xs = RNG.normal(size=(20, 40)) + 100
    gram = rbf(6.0)(jnp.asarray(xs, jnp.float32), jnp.asarray(xs, jnp.float32))
    np.testing.assert_allclose(gram, pairwise.rbf_kernel(xs, gamma=1 / 72), atol=2e-6)


def test_nan_is_not_hidden():
    xs = jnp.array([[0.0], [jnp.nan]])
    for kernel in (rbf(1.0), laplace(1.0), inverse_multiquadric(1.0), negative_distance):
        gram = kernel(xs, xs)
        assert jnp.isfinite(gram[0, 0])
        assert jnp.isnan(gram[0, 1])


def test_the_median_is_exact_for_few_points(x64):
    pooled = distance.pdist(np.concatenate([XS, YS]))
    assert median_heuristic(jnp.asarray(XS), jnp.asarray(YS)) == pytest.approx(np.median(pooled))
    # With an odd number of pairs too, for images, and under jit.
    xs, ys = RNG.normal(size=(1, 2, 2, 1)), RNG.normal(size=(2, 2, 2, 1))
    pooled = distance.pdist(np.concatenate([xs, ys]).reshape(3, -1))
    median = jax.jit(median_heuristic)(jnp.asarray(xs), jnp.asarray(ys))
    assert median == pytest.approx(np.median(pooled))


def test_the_median_of_many_is_that_of_evenly_taken_ones():
    xs, ys = RNG.normal(size=(3000, 2)), RNG.normal(size=(2000, 2))
    taken = np.concatenate([xs, ys])[::50]
    median = median_heuristic(jnp.asarray(xs), jnp.asarray(ys), max_points=100)
    assert median == pytest.approx(np.median(distance.pdist(taken)), rel=1e-5)
    assert median == pytest.approx(np.sqrt(2 * 2 * np.log(2)), rel=0.1)  # |x - y|² ~ 2 chi²_2


@pytest.mark.parametrize("dims", [3, 64])
def test_copies_of_a_point_have_no_part_in_the_median(dims):
    """A collapsed generator must not shrink the bandwidth to what its copies round to."""
    points = np.random.default_rng(0).normal(size=(40, dims)).astype(np.float32)
    copies = np.tile(points[:1], (30, 1))
    with_copies = np.concatenate([points, copies])
    between = distance.pdist(np.concatenate([with_copies, copies]))
    median = median_heuristic(jnp.asarray(with_copies), jnp.asarray(copies))
    assert float(median) == pytest.approx(np.median(between[between > 0]), rel=1e-5)


def test_the_median_at_its_edges():
    same = jnp.zeros((4, 1))
    assert median_heuristic(same, same) == 1
    assert median_heuristic(same, same.at[0].set(3.0)) == 3  # pairs of equal points are left out
    assert jnp.isnan(median_heuristic(same, same.at[0].set(jnp.nan)))
    assert jax.grad(lambda s: median_heuristic(s * jnp.ones((3, 1)), same))(2.0) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rbf(0.0), "bandwidth: got 0.0, expected a positive number"),
        (lambda: laplace(-1.0), "bandwidth: got -1.0"),
        (lambda: rbf(float("nan")), "bandwidth: got nan"),
        (lambda: inverse_multiquadric(1.0, 0.0), "exponent: got 0.0"),
        (lambda: rational_quadratic(1.0, -2.0), "alpha: got -2.0"),
        (lambda: polynomial(0), "degree: got 0, expected an integer >= 1"),
        (lambda: as_kernel(2.0), "kernel: got 2.0, expected"),
        (lambda: as_kernel(rbf), "kernel: got <function rbf.*, expected a function of two sets"),
        (lambda: kernel_mixture(), "number of kernels: got 0"),
        (lambda: median_heuristic(jnp.ones(3), jnp.ones(3), max_points=1), "max_points: got 1"),
    ],
)
def test_misuse_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()

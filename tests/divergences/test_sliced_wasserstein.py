"""Sliced Wasserstein distances against scipy, assignment and the closed form for Gaussians."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, spatial, stats

from jaxgen.divergences import sliced_wasserstein

RNG = np.random.default_rng(3)
XS, YS = RNG.normal(size=30), RNG.normal(0.5, 2.0, size=21)


@pytest.mark.parametrize("count", [30, 21, 7, 2])
def test_in_one_dimension_it_is_scipys_at_unequal_sizes_too(count, key, x64):
    came = sliced_wasserstein(key, jnp.asarray(XS), jnp.asarray(YS[:count]), 3, order=1).values
    expected = stats.wasserstein_distance(XS, YS[:count])
    np.testing.assert_allclose(came, expected, rtol=1e-9)


def test_of_order_two_it_is_the_optimal_assignment(key, x64):
    xs, ys = XS[:20], YS[:20]
    cost = spatial.distance.cdist(xs[:, None], ys[:, None], "sqeuclidean")
    expected = cost[optimize.linear_sum_assignment(cost)].mean()
    came = sliced_wasserstein(key, jnp.asarray(xs), jnp.asarray(ys), 1).value
    np.testing.assert_allclose(came, expected, rtol=1e-9)
    # Each sample twice is the same distribution.
    doubled = sliced_wasserstein(key_of(1), jnp.asarray(np.repeat(xs, 2)), jnp.asarray(ys), 1).value
    np.testing.assert_allclose(doubled, expected, rtol=1e-9)


def key_of(seed):
    return jax.random.key(seed)


def test_of_a_shift_it_is_the_mean_square_of_its_projections(key):
    """E (direction · shift)² = |shift|² / dims; a distance per direction would forget the dims."""
    xs = jnp.asarray(RNG.normal(size=(50, 4)), jnp.float32)
    shift = jnp.array([1.0, 2.0, 0.0, -1.0])
    found = sliced_wasserstein(key, xs, xs + shift, 4000)
    stderr = float(np.std(found.values, ddof=1) / np.sqrt(4000))
    assert found.values.shape == (4000,)
    assert float(found.value) == pytest.approx(6 / 4, abs=5 * stderr)
    assert float(found.stderr) == pytest.approx(stderr, rel=1e-4)
    assert stderr < 0.03


def test_its_gradient_moves_samples_onto_the_others(key):
    xs = jnp.asarray(RNG.normal(size=(16, 2)), jnp.float32)

    @jax.jit
    def step(ys, key):
        loss = jax.grad(lambda ys: sliced_wasserstein(key, xs, ys, 32).value)
        return ys - 8.0 * loss(ys)

    ys = xs[::-1] * 0.5 + 2.0
    start = float(sliced_wasserstein(key, xs, ys, 32).value)
    for i in range(50):
        ys = step(ys, key_of(i))
    assert float(sliced_wasserstein(key_of(99), xs, ys, 32).value) < 1e-2 * start
    assert jnp.isfinite(step(xs, key_of(50))).all()  # where the two agree


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_projections": 0}, "num_projections: got 0"),
        ({"num_projections": 2, "order": 0}, "order: got 0"),
    ],
)
def test_misuse_is_named(options, message, key):
    with pytest.raises(ValueError, match=message):
        sliced_wasserstein(key, jnp.ones((3, 2)), jnp.ones((3, 2)), **options)

"""The squared MMD by loops, in closed form for Gaussians, in blocks, and what it refuses."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected

from jaxgen.divergences import (
    laplace,
    mmd_biased,
    mmd_linear,
    mmd_unbiased,
    negative_distance,
    rbf,
    witness,
)

RNG = np.random.default_rng(1)
XS = jnp.asarray(RNG.normal(size=(7, 3)), jnp.float32)
YS = jnp.asarray(RNG.normal(size=(5, 3)) + 0.5, jnp.float32)
BANDWIDTH = 0.8
# Two Gaussians: N(0, 1) and N(SHIFT, SPREAD²).
SHIFT, SPREAD = 0.7, 1.3


def k(x, y):
    return np.exp(-np.sum((np.asarray(x, float) - np.asarray(y, float)) ** 2) / 2 / BANDWIDTH**2)


def by_loops(xs, ys, pairs):
    """The mean over `pairs` of each set with itself, less twice the mean across."""
    within = [np.mean([k(s[i], s[j]) for i, j in pairs(range(len(s)), 2)]) for s in (xs, ys)]
    return sum(within) - 2 * np.mean([k(x, y) for x in xs for y in ys])


def every_pair(items, size):
    return itertools.product(items, repeat=size)


@pytest.mark.parametrize("block_size", [3, 1000])
def test_by_loops_whatever_the_blocks(block_size):
    biased = mmd_biased(XS, YS, rbf(BANDWIDTH), block_size=block_size)
    unbiased = mmd_unbiased(XS, YS, rbf(BANDWIDTH), block_size=block_size)
    assert biased.value == pytest.approx(by_loops(XS, YS, every_pair), abs=1e-6)
    assert unbiased.value == pytest.approx(by_loops(XS, YS, itertools.permutations), abs=1e-6)
    assert biased.p.shape == unbiased.p.shape == (7,)
    assert biased.q.shape == unbiased.q.shape == (5,)


def test_the_terms_are_the_witness():
    """With and without the sample itself."""
    kernel, terms = rbf(BANDWIDTH), mmd_unbiased(XS, YS, rbf(BANDWIDTH))
    np.testing.assert_allclose(mmd_biased(XS, YS, kernel).q, witness(YS, XS, YS, kernel), rtol=1e-5)
    others = jnp.delete(YS, 2, axis=0)
    np.testing.assert_allclose(terms.q[2], witness(YS[2:3], XS, others, kernel)[0], rtol=1e-5)
    others = jnp.delete(XS, 4, axis=0)
    np.testing.assert_allclose(terms.p[4], witness(XS[4:5], others, YS, kernel)[0], rtol=1e-5)


def test_the_linear_form_is_of_pairs_that_follow_each_other():
    """Of seven, the last has no part."""
    xs, ys = XS, jnp.concatenate([YS, XS[:2] + 1])
    by_hand = [
        k(xs[i], xs[i + 1]) + k(ys[i], ys[i + 1]) - k(xs[i], ys[i + 1]) - k(xs[i + 1], ys[i])
        for i in (0, 2, 4)
    ]
    np.testing.assert_allclose(mmd_linear(xs, ys, rbf(BANDWIDTH)).values, by_hand, atol=1e-6)


def closed_form():
    """The squared MMD of the two Gaussians: E k is a Gaussian of variance s² + both variances."""

    def mean(gap, variance):
        total = BANDWIDTH**2 + variance
        return BANDWIDTH / np.sqrt(total) * np.exp(-(gap**2) / 2 / total)

    return mean(0, 2) + mean(0, 2 * SPREAD**2) - 2 * mean(SHIFT, 1 + SPREAD**2)


@pytest.fixture(scope="module")
def draws():
    """10,000 estimates of each form from few samples."""

    @jax.jit
    @jax.vmap
    def estimates(key):
        key_p, key_q = jax.random.split(key)
        xs = jax.random.normal(key_p, (12,))
        ys = SHIFT + SPREAD * jax.random.normal(key_q, (12,))
        kernel = rbf(BANDWIDTH)
        forms = mmd_biased(xs, ys, kernel), mmd_unbiased(xs, ys, kernel)
        return [form.value for form in forms] + [mmd_linear(xs, ys, kernel).value]

    return estimates(jax.random.split(jax.random.key(0), 10_000))


def test_unbiased_forms_against_the_gaussian_closed_form(draws):
    biased, unbiased, linear = draws
    assert_unbiased(unbiased, closed_form())
    assert_unbiased(linear, closed_form())
    with rejected():
        assert_unbiased(biased, closed_form())
    with rejected():  # its bias is known: the diagonal's
        assert_unbiased(unbiased, closed_form() + 0.01)
    assert jnp.std(linear) > 1.5 * jnp.std(unbiased)
    assert jnp.min(biased) >= 0 > jnp.min(unbiased)


def test_the_diagonal_matters_to_the_biased_form_alone():
    def spiked(xs, ys):
        equal = jnp.all(xs[:, None] == ys, axis=-1)
        return rbf(BANDWIDTH)(xs, ys) + jnp.where(equal, 1e6, 0.0)

    plain = float(mmd_unbiased(XS, YS, rbf(BANDWIDTH)).value)
    assert mmd_unbiased(XS, YS, spiked).value == plain
    assert mmd_unbiased(XS, YS, spiked, block_size=2).value == pytest.approx(plain, abs=1e-6)
    assert mmd_biased(XS, YS, spiked).value > 1e5


@pytest.mark.parametrize("form", [mmd_biased, mmd_unbiased])
@pytest.mark.parametrize("kernel", [laplace(1.0), negative_distance])
def test_gradients_in_blocks_agree_with_differences(form, kernel, x64):
    xs, ys = XS.astype(float), YS.astype(float)

    @jax.jit
    def value(ys):
        terms = form(xs, ys, kernel, block_size=3)
        return jnp.mean(jnp.mean(terms.p) - terms.q)  # one value per sample of the model

    gradient, direction = jax.jit(jax.grad(value))(ys), jnp.sin(jnp.arange(15.0)).reshape(5, 3)
    step = 1e-5 * direction
    difference = float(value(ys + step) - value(ys - step)) / 2e-5
    assert jnp.vdot(gradient, direction) == pytest.approx(difference, rel=1e-6)


def test_many_samples_fit():
    """20,000 against 20,000: the Gram matrix would take 6.4 GB, a block takes 4 MB."""
    keys = jax.random.split(jax.random.key(3))
    xs = jax.random.normal(keys[0], (20_000,))
    ys = SHIFT + SPREAD * jax.random.normal(keys[1], (20_000,))
    compute = jax.jit(lambda xs, ys: mmd_unbiased(xs, ys, rbf(BANDWIDTH)).value)
    assert compute(xs, ys) == pytest.approx(closed_form(), abs=0.005)
    memory = compute.lower(xs, ys).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 50e6


def test_memory_of_the_gradient_is_bounded_too():
    xs = jnp.zeros((100_000, 2))
    gradient = jax.jit(jax.grad(lambda ys: mmd_unbiased(xs, ys, rbf(1.0)).value))
    memory = gradient.lower(xs).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 1e9


def test_a_nan_among_the_samples_shows():
    broken = XS.at[2].set(jnp.nan)
    for form in (mmd_biased, mmd_unbiased):
        assert jnp.isnan(form(broken, YS, rbf(1.0)).value)
        assert jnp.isnan(form(YS, broken, negative_distance, block_size=3).value)


@pytest.mark.parametrize("form", [mmd_biased, mmd_unbiased, mmd_linear])
@pytest.mark.parametrize(
    ("xs", "ys", "message"),
    [
        (XS[:1], YS, r"p_samples: got shape \(1, 3\), expected at least 2 samples"),
        (XS, YS[:0], r"q_samples: got shape \(0, 3\), expected at least 2 samples"),
        (
            XS,
            YS[:, :2],
            r"q_samples: got samples of shape \(2,\), expected \(3,\), as p_samples has",
        ),
        (XS[:, 0], YS[:, :1], r"q_samples: got samples of shape \(1,\), expected \(\)"),
        (XS.astype(jnp.uint8), YS, "p_samples: got uint8, expected floating-point"),
        ([[0.0], [1.0, 2.0]], YS, "p_samples: got list, expected an array"),
    ],
)
def test_bad_samples_are_refused(form, xs, ys, message):
    with pytest.raises(ValueError, match=message):
        form(xs, ys, rbf(1.0))


def test_other_misuse_is_named():
    with pytest.raises(ValueError, match=r"kernel: got a result of shape \(7,\) for 7 rows and 5"):
        witness(XS, YS[:1], YS[:4], lambda xs, ys: xs[:, 0])
    with pytest.raises(ValueError, match="block_size: got 0"):
        mmd_biased(XS, YS, rbf(1.0), block_size=0)
    with pytest.raises(ValueError, match="q_samples: got 5 samples, expected 7"):
        mmd_linear(XS, YS, rbf(1.0))
    with pytest.raises(ValueError, match=r"points: got samples of shape \(2,\)"):
        witness(XS[:, :2], XS, YS, rbf(1.0))

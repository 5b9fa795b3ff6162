"""Sampled moments of gradients against closed forms."""

import math

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.certify import (
    grad_moments,
    replay,
    sample_space,
)
from jaxgen.estimators import measure_valued, pathwise, score_function

MEAN, SCALE, SHIFT = 0.7, 0.8, -0.5
D = MEAN - SHIFT
THRESHOLD = stats.norm.isf(1e-6 / 2 / 12)  # 12 comparisons, one false alarm in a million runs

# Variances of d/dmean and d/dscale of E (x - k)^2, one sample (Mohamed et al. 2020).
CLOSED_FORMS = {
    "score function": (
        D**4 / SCALE**2 + 14 * D**2 + 15 * SCALE**2,
        2 * D**4 / SCALE**2 + 60 * D**2 + 74 * SCALE**2,
    ),
    "pathwise": (4 * SCALE**2, 4 * D**2 + 8 * SCALE**2),
    "measure-valued": (D**2 * (16 / math.pi - 4), 4 * D**2 + 4 * SCALE**2),
}


def quadratic(estimator):
    def loss(params, key):
        return estimator.apply((), key, lambda z: (z - SHIFT) ** 2, distrax.Normal(*params))[0]

    return lambda key: jax.grad(loss)((jnp.array(MEAN), jnp.array(SCALE)), key)


@pytest.mark.parametrize(
    "estimator", [score_function(), pathwise(), measure_valued()], ids=lambda e: e.name
)
def test_variances_are_the_closed_forms_within_their_errors(estimator, key):
    moments = jax.jit(lambda key: grad_moments(quadratic(estimator), key, 100_000, 1000))(key)
    expected = np.array(CLOSED_FORMS[estimator.name])
    assert np.all(np.abs(np.array(moments.mean) - [2 * D, 2 * SCALE])
                  < THRESHOLD * np.sqrt(expected / 100_000))  # fmt: skip
    errors = np.array(moments.variance_stderr)
    assert np.all(np.abs(np.array(moments.variance) - expected) < THRESHOLD * errors)
    assert np.all(errors < 0.05 * expected), "the interval is wide enough to hold anything"
    assert abs(moments.trace - expected.sum()) < THRESHOLD * moments.trace_stderr
    snr = 2 * np.hypot(D, SCALE) / np.sqrt(expected.sum())
    np.testing.assert_allclose(moments.snr, snr, rtol=0.05)
    wrong = 1.3 * expected
    assert np.any(np.abs(np.array(moments.variance) - wrong) > THRESHOLD * errors)


def test_streaming_agrees_with_all_draws_at_once(key):
    # Far from zero, where sums of squares lose everything in float32.
    draw = lambda key: {"a": 1e4 + jax.random.normal(key, (2, 3)), "b": jax.random.uniform(key)}  # noqa: E731
    with jax.debug_key_reuse(False):
        moments = jax.jit(lambda key: grad_moments(draw, key, 600, 30))(key)
        batches = jax.random.split(key, 20)
        draws = jax.vmap(jax.vmap(draw))(jax.vmap(lambda key: jax.random.split(key, 30))(batches))
    batched = jax.tree.map(lambda x: np.asarray(x, np.float64), draws)
    flat = jax.tree.map(lambda x: x.reshape(600, *x.shape[2:]), batched)
    for name in ("a", "b"):
        np.testing.assert_allclose(moments.mean[name], flat[name].mean(0), rtol=1e-6)
        np.testing.assert_allclose(moments.variance[name], flat[name].var(0, ddof=1), rtol=2e-3)
        between = batched[name].var(axis=1, ddof=1)
        stderr = between.std(axis=0, ddof=1) / np.sqrt(20)
        np.testing.assert_allclose(moments.variance_stderr[name], stderr, rtol=2e-2)
    trace = sum(x.var(axis=1, ddof=1).reshape(20, -1).sum(1) for x in batched.values())
    np.testing.assert_allclose(moments.trace_stderr, trace.std(ddof=1) / np.sqrt(20), rtol=2e-2)
    np.testing.assert_allclose(moments.trace, trace.mean(), rtol=2e-2)


def test_any_number_of_draws_will_do(key):
    """The five left over by six batches of fifteen count in the moments, not in the errors."""
    keys = jax.random.split(jax.random.clone(key), 7)
    batches = [jax.random.split(keys[i], 5 if i == 6 else 15) for i in range(7)]
    draws = np.concatenate([jax.vmap(jax.random.normal)(batch) for batch in batches])
    moments = jax.jit(lambda key: grad_moments(jax.random.normal, key, 95, 15))(key)
    np.testing.assert_allclose(moments.mean, draws.mean(), rtol=1e-5)
    np.testing.assert_allclose(moments.variance, draws.var(ddof=1), rtol=1e-5)
    between = draws[:90].reshape(6, 15).var(axis=1, ddof=1)
    np.testing.assert_allclose(moments.variance_stderr, between.std(ddof=1) / np.sqrt(6), rtol=1e-4)
    assert np.isfinite(grad_moments(jax.random.normal, jax.random.key(1), 1009).trace_stderr)


def test_standard_errors_cover(key):
    # Of 400 runs the 2 sigma interval should hold the variance of a normal in some 95%.
    run = lambda key: grad_moments(jax.random.normal, key, 800, 20)  # noqa: E731
    moments = jax.jit(jax.vmap(run))(jax.random.split(key, 400))
    covered = np.abs(moments.variance - 1) < 2 * moments.variance_stderr
    assert 0.9 < covered.mean() < 0.99


def test_bad_input(key):
    with pytest.raises(ValueError, match="batch_size: got 1, expected an integer >= 2"):
        grad_moments(jax.random.normal, key, 100, 1)
    with pytest.raises(ValueError, match="num_draws: got 10, expected an integer >= 20"):
        grad_moments(jax.random.normal, key, 10, 10)
    bits = distrax.Independent(distrax.Bernoulli(jnp.zeros(8)), 1)
    with pytest.raises(ValueError, match="num_samples: got 3 of 256 states each"):
        sample_space(bits, 3)
    with pytest.raises(ValueError, match=r"samples: got shape \(2, 8\), expected"):
        score_function(4).apply((), key, jnp.sum, replay(bits, jnp.zeros((2, 8))))


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.float16, jnp.bfloat16])
def test_moments_are_in_float32_at_least(dtype, key):
    gradient = lambda key: {"w": jax.random.randint(key, (2,), 0, 2).astype(dtype)}  # noqa: E731
    moments = grad_moments(gradient, key, 2000)
    assert moments.mean["w"].dtype == moments.variance["w"].dtype == jnp.float32
    np.testing.assert_allclose(moments.mean["w"], 0.5, atol=6 * 0.5 / 2000**0.5)
    np.testing.assert_allclose(moments.variance["w"], 0.25, atol=0.01)


def test_any_floating_type_will_do_under_x64(key, x64):
    gradient = lambda key: {  # noqa: E731
        "single": jax.random.normal(key, (2,), jnp.float32),
        "double": jnp.ones((), jnp.float64),
    }
    moments = jax.jit(lambda key: grad_moments(gradient, key, 2005, 100))(key)
    assert moments.mean["single"].dtype == moments.variance["single"].dtype == jnp.float32
    assert moments.mean["double"].dtype == jnp.float64
    np.testing.assert_allclose(moments.variance["single"], 1.0, atol=6 * (2 / 2000) ** 0.5)

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxgen.numerics import (
    all_finite,
    at_least_float32,
    bernoulli_log_prob,
    expm1,
    highest_precision,
    log_mean_exp,
    log_of_the_others,
    wilson_interval,
)


def test_log_mean_exp_is_scipys_logsumexp_less_log_count():
    values = np.random.default_rng(0).normal(scale=300.0, size=(5, 7)).astype(np.float32)
    for axis in (0, 1, (0, 1)):
        count = np.prod([values.shape[a] for a in np.atleast_1d(axis)])
        expected = special.logsumexp(values.astype(np.float64), axis=axis) - np.log(count)
        np.testing.assert_allclose(log_mean_exp(jnp.asarray(values), axis), expected, rtol=1e-6)


@pytest.mark.parametrize("extreme", [-np.inf, np.inf])
def test_log_mean_exp_of_nothing_likely_or_of_infinity_has_no_slope(extreme):
    """Beside it stands an ordinary row, whose gradient is its softmax."""
    ordinary = jnp.array([-jnp.inf, 0.0, 1.0])
    values = jnp.stack([jnp.array([extreme, extreme, -jnp.inf]), ordinary])
    both = log_mean_exp(values, 1)
    np.testing.assert_allclose(both, [extreme, np.log((1 + np.e) / 3)], rtol=1e-6)
    gradient = jax.grad(lambda v: jnp.sum(jnp.array([1.0, 2.0]) * log_mean_exp(v, 1)))(values)
    np.testing.assert_allclose(gradient, [[0, 0, 0], 2 * special.softmax(ordinary)], rtol=1e-6)
    assert jnp.isnan(log_mean_exp(jnp.array([extreme, jnp.nan]), 0))


@pytest.mark.parametrize("x", [0.0, 1.0])
def test_bernoulli_log_prob_is_scipys(x):
    logits = np.linspace(-30, 30, 121)
    expected = stats.bernoulli.logpmf(x, special.expit(logits))
    expected = np.where(np.isfinite(expected), expected, -np.abs(logits))
    with jax.enable_x64(True):
        ours = bernoulli_log_prob(jnp.asarray(logits), jnp.asarray(x))
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-12)


@pytest.mark.parametrize("logit", [-1e4, -100.0, 0.0, 100.0, 1e4])
@pytest.mark.parametrize("x", [0, 1])
def test_bernoulli_log_prob_has_its_gradient_at_extreme_logits(logit, x):
    value, gradient = jax.value_and_grad(bernoulli_log_prob)(
        logit_array := jnp.array(logit), jnp.array(x)
    )
    assert jnp.isfinite(value)
    np.testing.assert_allclose(gradient, x - jax.nn.sigmoid(logit_array), atol=1e-6)


def test_bernoulli_log_prob_takes_plain_numbers():
    assert bernoulli_log_prob(jnp.array(100.0), 0) == -100.0


def test_all_finite_looks_at_every_float():
    assert all_finite({"a": jnp.ones(3), "n": jnp.array(1)})
    assert not all_finite({"a": jnp.ones(3), "b": jnp.array([0.0, jnp.nan])})
    assert all_finite({})


def test_two_expm1_in_one_sum_are_two():
    """XLA's CPU compiler makes one of them where nothing keeps them apart."""
    v = np.random.default_rng(0).normal(size=8192).astype(np.float32)
    exact = np.sum(np.expm1(2 * v.astype(np.float64)) - np.expm1(v.astype(np.float64)))
    came = jax.jit(lambda v: jnp.sum(expm1(2 * v) - expm1(v)))(v)
    np.testing.assert_allclose(came, exact, rtol=1e-4)
    slope = jax.jit(jax.grad(lambda v: jnp.sum(expm1(2 * v) - expm1(v))))(jnp.asarray(v))
    np.testing.assert_allclose(slope, 2 * np.exp(2 * v) - np.exp(v), rtol=1e-4, atol=1e-5)


def test_half_precision_is_widened_and_integers_are_refused():
    for half in (jnp.float16, jnp.bfloat16):
        assert at_least_float32("x", jnp.ones(3, half)).dtype == jnp.float32
    with jax.enable_x64(True):
        assert at_least_float32("x", jnp.ones(3, jnp.float64)).dtype == jnp.float64
    with pytest.raises(ValueError, match="pixels: got uint8, expected floating-point numbers"):
        at_least_float32("pixels", jnp.ones(3, jnp.uint8))


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilsons_interval_is_scipys(confidence):
    right = np.array([0, 10, 180, 200])
    low, high = wilson_interval(right / 200, 200, confidence=confidence)
    for i, count in enumerate(right):
        interval = stats.binomtest(count, 200).proportion_ci(confidence, method="wilson")
        assert (low[i], high[i]) == pytest.approx((interval.low, interval.high), abs=1e-6)
    assert low[0] == 0
    assert high[-1] == 1
    with pytest.raises(
        ValueError, match=r"confidence: got 95\.0, expected a number between 0 and 1"
    ):
        wilson_interval(0.5, 10, confidence=95.0)


def test_products_of_reported_numbers_have_the_highest_precision():
    """On a CPU the number is the same either way: the program is what says it."""
    asked = str(jax.make_jaxpr(highest_precision(jnp.dot))(jnp.ones(3), jnp.ones(3)))
    assert "HIGHEST" in asked
    assert "HIGHEST" not in str(jax.make_jaxpr(jnp.dot)(jnp.ones(3), jnp.ones(3)))


def test_logs_of_the_others_are_exact_at_both_ends():
    logs = np.array([-20.0, 0.0, 60.0, -200.0])
    total, others = special.logsumexp(logs), special.logsumexp([-20.0, 0.0])
    expected = [-np.exp(-20.0 - total), -np.exp(-total), others - total, 0.0]
    found = log_of_the_others(jnp.asarray(logs + 1000.0))
    np.testing.assert_allclose(found, expected, rtol=1e-5)

"""Resampling schemes by the law of their offspring, schedules by closed forms."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected

from jaxgen.inference import RESAMPLING, always, ess_below, multinomial, never, systematic
from jaxgen.numerics import effective_sample_size

WEIGHTS = np.array([0.0, 0.07, 0.43, 0.2, 0.3, 0.0])
EXPECTED = len(WEIGHTS) * WEIGHTS
LOG_WEIGHTS = jnp.log(jnp.asarray(WEIGHTS, jnp.float32)) + 3.0  # not normalized
DRAWS = 10_000
SCHEMES = pytest.mark.parametrize("name", RESAMPLING)


def offspring(sample, log_weights=LOG_WEIGHTS, draws=DRAWS):
    """How often each particle was drawn, [draws, particles]."""
    keys = jax.random.split(jax.random.key(0), draws)
    ancestors = jax.jit(jax.vmap(lambda key: sample(key, log_weights)))(keys)
    return np.asarray(ancestors)[:, :, None] == np.arange(len(log_weights))


@SCHEMES
def test_offspring_are_unbiased(name):
    counts = offspring(RESAMPLING[name].sample).sum(axis=1)
    assert_unbiased(counts, EXPECTED)
    assert np.all(counts.sum(axis=1) == len(WEIGHTS))
    assert not counts[:, WEIGHTS == 0].any()


def test_a_comb_that_never_moves_is_caught(monkeypatch):
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape=(): jnp.full(shape, 0.5))
    with rejected():
        assert_unbiased(offspring(systematic.sample).sum(axis=1), EXPECTED)


def test_weights_of_the_wrong_temperature_are_caught():
    with rejected():
        assert_unbiased(offspring(multinomial.sample, 1.1 * LOG_WEIGHTS).sum(axis=1), EXPECTED)


def test_strata_lower_the_variance():
    variance = {n: offspring(s.sample).sum(axis=1).var(axis=0) for n, s in RESAMPLING.items()}
    binomial = EXPECTED * (1 - WEIGHTS)
    np.testing.assert_allclose(variance["multinomial"], binomial, rtol=0.06)
    for name in ("stratified", "systematic"):
        assert np.all(variance[name] <= 0.9 * binomial), name


def test_systematic_offspring_are_the_expectation_rounded_down_or_up():
    counts = offspring(systematic.sample).sum(axis=1)
    assert np.all((counts == np.floor(EXPECTED)) | (counts == np.ceil(EXPECTED)))


@pytest.mark.parametrize("name", ["stratified", "systematic"])
@pytest.mark.parametrize("shift", [0.0, 0.5, 1 - 2.0**-24])
def test_equal_weights_give_each_particle_once_wherever_the_comb_lies(name, shift, monkeypatch):
    monkeypatch.setattr(
        jax.random, "uniform", lambda key, shape=(): jnp.full(shape, shift, jnp.float32)
    )
    count = 3000
    log_weights = jnp.full(count, -jnp.log(float(count)))
    ancestors = RESAMPLING[name].sample(jax.random.key(0), log_weights)
    np.testing.assert_array_equal(ancestors, np.arange(count))


@SCHEMES
def test_a_particle_without_weight_is_not_drawn_at_the_very_end(name, monkeypatch):
    monkeypatch.setattr(
        jax.random, "uniform", lambda key, shape=(): jnp.full(shape, 1 - 2.0**-24, jnp.float32)
    )
    log_weights = jnp.array([-1.0, 0.3, -0.7, -jnp.inf, -jnp.inf])
    ancestors = RESAMPLING[name].sample(jax.random.key(0), log_weights)
    assert ancestors.max() <= 2


def test_multinomial_log_prob_is_that_of_its_draws():
    weights = np.array([0.5, 0.2, 0.3])
    log_weights = jnp.log(jnp.asarray(weights, jnp.float32))
    outcomes = np.array(list(itertools.product(range(3), repeat=3)))
    log_probs = jax.vmap(multinomial.log_prob, (None, 0))(log_weights, outcomes)
    np.testing.assert_allclose(np.exp(log_probs), weights[outcomes].prod(axis=1), rtol=1e-6)
    drawn = offspring(multinomial.sample, log_weights).argmax(axis=2)
    hits = np.all(drawn[:, None] == outcomes, axis=2)
    assert_unbiased(hits, np.exp(np.asarray(log_probs, np.float64)))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([0.25] * 4, 4.0),
        ([1.0, 0.0, 0.0], 1.0),
        ([2.0, 1.0, 1.0], 16 / 6),
        ([0.0, 0.0], 0.0),
    ],
)
def test_effective_sample_size(weights, expected):
    for scale in (1.0, 1e-30, 1e30):
        log_weights = jnp.log(jnp.array(weights)) + np.log(scale)
        np.testing.assert_allclose(effective_sample_size(log_weights), expected, rtol=1e-5)


def test_schedules_resample_by_the_effective_sample_size():
    log_weights = jnp.log(jnp.array([0.5, 0.25, 0.25]))  # ESS 2.67 of 3
    assert not never(log_weights)
    assert always(log_weights)
    assert ess_below(0.9)(log_weights)
    assert not ess_below(0.88)(log_weights)
    assert not ess_below(1.0)(jnp.zeros(4)), "as large as it can be, it is not below"


@pytest.mark.parametrize("fraction", [0.0, 1.5, float("nan")])
def test_a_threshold_outside_its_range_is_refused(fraction):
    with pytest.raises(ValueError, match=r"fraction: got .*, expected a number in \(0, 1\]"):
        ess_below(fraction)


def test_equal_calls_are_equal_values_and_shown_as_such():
    assert ess_below(0.5) == ess_below(0.5) != ess_below(0.6)
    assert hash(ess_below(0.5)) == hash(ess_below(0.5))
    assert repr((multinomial, ess_below(0.5))) == "(multinomial, ess_below(0.5))"

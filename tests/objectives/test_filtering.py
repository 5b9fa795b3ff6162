"""Filtering bounds against the Kalman filter, and their gradients against enumeration."""

import dataclasses
import itertools
from functools import cache, partial

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from kalman import example
from laws import assert_biased, assert_unbiased, rejected

from jaxgen.inference import always, multinomial, stratified, systematic
from jaxgen.models import importance_step, linear_gaussian
from jaxgen.objectives import (
    FILTERING_OBJECTIVES,
    FilteringObjective,
    filtering_bound,
    filtering_bounds,
    ignore_resampling,
    score_resampling,
)

KALMAN = example()
MODEL = linear_gaussian(latent_size=2, x_size=2)
EVERY = pytest.mark.parametrize("name", FILTERING_OBJECTIVES)


def params(key):
    """The Kalman filter's model with an arbitrary proposal, somewhat too broad."""
    half_log = {
        "initial_log_scale": KALMAN.cov,
        "transition_log_scale": KALMAN.transition_cov,
        "emission_log_scale": KALMAN.emission_cov,
    }
    return MODEL.init(key) | {
        **{name: jnp.asarray(0.5 * np.log(np.diag(c))) for name, c in half_log.items()},
        "initial_mean": jnp.asarray(KALMAN.mean),
        "transition": jnp.asarray(KALMAN.transition),
        "emission": jnp.asarray(KALMAN.emission),
        "proposal": {
            "weights": jnp.array([[0.6, -0.1], [0.2, 0.7]]),
            "bias": jnp.array([0.1, -0.2]),
            "log_precision": jnp.array([-1.0, -0.5]),
        },
    }


def bound(objective, params, key, xs, num_particles, mask=None):
    step = importance_step(MODEL, params)
    start = MODEL.start(params)
    return filtering_bound(key, step, start, xs, num_particles, objective, mask=mask)


LONG, SHORT, DRAWS = 40, 6, 4000
XS = KALMAN.sample(np.random.default_rng(1), LONG)
TERMS, _, _ = KALMAN.filter(XS)


@jax.jit
def any_bound(keys, index, mask):
    """Every objective in one compiled program."""
    schemes, schedules, _ = zip(*FILTERING_OBJECTIVES.values(), strict=True)
    branches = [scheme.sample for scheme in schemes]
    dispatched = FilteringObjective(
        dataclasses.replace(
            multinomial, sample=lambda *args: jax.lax.switch(index, branches, *args)
        ),
        lambda log_weights: jax.lax.switch(index, schedules, log_weights),
    )
    xs = jnp.asarray(XS, jnp.float32)

    def one(key):
        value, result = bound(dispatched, params(jax.random.key(0)), key, xs, 8, mask)
        return value, result.resampled, result.ess

    return jax.vmap(one)(keys)


@cache
def draws(name, time):
    """Bounds, and at each step whether ancestors were drawn and the effective sample size."""
    index = list(FILTERING_OBJECTIVES).index(name)
    keys = jax.random.split(jax.random.key(0), DRAWS)
    return jax.device_get(any_bound(keys, index, np.arange(LONG) < time))


def bounds(name, time):
    return np.asarray(draws(name, time)[0], np.float64)


@EVERY
def test_iwae_exponentiated_is_unbiased_for_the_likelihood(name):
    draws = np.exp(bounds(name, SHORT) - TERMS[:SHORT].sum())
    assert_unbiased(draws, 1.0)
    with rejected():
        assert_unbiased(1.08 * draws, 1.0)


def test_filtering_bounds_are_above_iwae_at_equal_particles_on_a_long_sequence():
    gaps = {name: TERMS.sum() - bounds(name, LONG) for name in FILTERING_OBJECTIVES}
    means = {name: gap.mean() for name, gap in gaps.items()}
    assert all(0 < means[name] < 0.5 * means["iwae"] for name in ("fivo", "aesmc", "vsmc"))


def test_the_schemes_are_the_authors():
    assert {name: o.resampling for name, o in FILTERING_OBJECTIVES.items()} == {
        "iwae": systematic,
        "fivo": multinomial,
        "aesmc": systematic,
        "vsmc": stratified,
    }


def test_each_resamples_when_its_authors_do():
    steps = np.arange(1, LONG)
    for name, due in {
        "iwae": lambda before: np.zeros_like(before, bool),
        "fivo": lambda before: before < 4,
        "aesmc": lambda before: np.ones_like(before, bool),
        "vsmc": lambda before: np.ones_like(before, bool),
    }.items():
        _, resampled, ess = draws(name, LONG)
        assert not resampled[:, 0].any()
        # An effective sample size at the threshold may round over it.
        assert np.mean(resampled[:, steps] == due(ess[:, steps - 1])) > 0.999, name
    assert 0.05 < draws("fivo", LONG)[1].mean() < 0.95


# A problem of coins: every noise and every choice of ancestors can be listed.
TIME, PARTICLES = 3, 2
COINS_X = np.array([0.3, -1.2, 0.8])
THETA = np.array([0.4, 0.7])


def move(theta, z, coin, x, np):
    """A particle's next z and log weight; any function will do."""
    z = 0.8 * z + theta[0] * coin + 0.1 * theta[1]
    return z, theta[1] * x * z - 0.9 * z**2 - 0.3 * np.cos(theta[0] + z)


def exact_bound(theta):
    """E log Z-hat over 2^6 coins and 4^2 choices of ancestors, in float64."""
    coins = np.array(list(itertools.product([-1.0, 1.0], repeat=TIME * PARTICLES)))
    coins = coins.reshape(-1, TIME, PARTICLES)
    choices = np.array(list(itertools.product(range(PARTICLES), repeat=PARTICLES)))
    total = 0.0
    for path in itertools.product(choices, repeat=TIME - 1):
        z, log_weight = move(theta, np.zeros(PARTICLES), coins[:, 0], COINS_X[0], np)
        log_z = np.log(np.mean(np.exp(log_weight), axis=1))
        prob = np.ones(len(coins))
        for t, ancestors in enumerate(path, 1):
            weights = np.exp(log_weight) / np.exp(log_weight).sum(axis=1, keepdims=True)
            prob *= weights[:, ancestors].prod(axis=1)
            z, log_weight = move(theta, z[:, ancestors], coins[:, t], COINS_X[t], np)
            log_z += np.log(np.mean(np.exp(log_weight), axis=1))
        total += np.mean(prob * log_z)
    return total


@pytest.fixture(scope="module")
def coin_gradients():
    """Values and gradients of both settings, 40,000 draws each."""

    def value(theta, key, gradient):
        def step(key, z, x):
            z, log_weight = move(theta, z, jax.random.rademacher(key, dtype=float), x, jnp)
            return z, z, log_weight

        objective = FilteringObjective(multinomial, always, gradient)
        xs = jnp.asarray(COINS_X, jnp.float32)
        return filtering_bound(key, step, jnp.zeros(()), xs, PARTICLES, objective)[0]

    def draws(gradient, seed):
        one = jax.value_and_grad(partial(value, gradient=gradient))
        keys = jax.random.split(jax.random.key(seed), 40_000)
        return jax.jit(jax.vmap(one, (None, 0)))(jnp.asarray(THETA, jnp.float32), keys)

    return {gradient: draws(gradient, 0) for gradient in (ignore_resampling, score_resampling)}


def test_the_score_of_the_ancestors_makes_the_gradient_unbiased(coin_gradients):
    step = 1e-5 * np.eye(2)
    truth = [(exact_bound(THETA + s) - exact_bound(THETA - s)) / 2e-5 for s in step]
    values, gradients = coin_gradients[score_resampling]
    assert_unbiased(values, exact_bound(THETA))
    assert_unbiased(gradients, truth)
    assert_biased(coin_gradients[ignore_resampling][1], truth)


def test_the_score_leaves_the_value_alone(coin_gradients):
    np.testing.assert_array_equal(
        coin_gradients[score_resampling][0], coin_gradients[ignore_resampling][0]
    )


def test_a_likelihood_of_zero_has_no_gradient():
    def value(theta, log_weight):
        def step(key, z, x):
            return z + theta, z, jnp.where(x == 1, log_weight, -((z - theta * x) ** 2))

        objective = FilteringObjective(multinomial, always, score_resampling)
        key, start = jax.random.key(0), jnp.zeros(())
        return filtering_bound(key, step, start, jnp.arange(3.0), 4, objective)[0]

    dead, gradient = jax.jit(jax.value_and_grad(value))(1.0, -jnp.inf)
    assert dead == -jnp.inf
    assert np.isfinite(gradient)


@pytest.mark.parametrize("name", ["aesmc", "vsmc"])
def test_a_scheme_without_a_tame_score_is_refused(name):
    objective = FILTERING_OBJECTIVES[name]._replace(gradient=score_resampling)
    with pytest.raises(ValueError, match="resampling: got a scheme without log_prob"):
        bound(objective, params(jax.random.key(0)), jax.random.key(1), jnp.zeros((3, 2)), 4)


def test_a_proposal_of_the_wrong_event_shape_is_refused():
    normal = distrax.Normal(jnp.zeros(2), 1.0)  # not Independent: one log probability per latent
    model = MODEL._replace(
        prior=lambda params, state: normal,
        encode=lambda params, state, x: normal,
        decode=lambda params, state, z: normal,
        update=lambda params, state, z, x: state,
    )
    step = importance_step(model, ())
    objective = FILTERING_OBJECTIVES["fivo"]
    with pytest.raises(ValueError, match=r"step: got a log weight of shape \(2,\)"):
        filtering_bound(jax.random.key(0), step, (), jnp.zeros((3, 2)), 4, objective)


def test_all_bounds_in_one_program_are_those_of_each_alone():
    weights, mask = params(jax.random.key(0)), jnp.arange(LONG) < 30
    step, start = importance_step(MODEL, weights), MODEL.start(weights)

    @jax.jit
    def together(key):
        return filtering_bounds(key, step, start, XS, 5, mask=mask)

    found = together(jax.random.key(7))
    assert found.keys() == FILTERING_OBJECTIVES.keys()
    for name in ("iwae", "fivo"):
        alone = jax.jit(partial(bound, FILTERING_OBJECTIVES[name], num_particles=5))
        value, _ = alone(weights, jax.random.key(7), XS, mask=mask)
        np.testing.assert_allclose(found[name], value, rtol=1e-5)

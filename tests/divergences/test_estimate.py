"""Divergences estimated by a trained critic: the held-out bound and its interval."""

from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from laws import assert_unbiased, rejected
from scipy import stats

from jaxgen.divergences import DIVERGENCES, activated_bound, estimate

SHIFT = 1.0  # p = N(1, 1), q = N(0, 1): log p/q = x - 1/2, KL = 1/2


def init(key):
    return jnp.zeros(2)


def linear(params, x):
    return params[0] * x + params[1]


RUNS = 300


def samples(n, m, runs=()):
    rng = np.random.default_rng(0)
    shapes = ((*runs, n), (*runs, m))
    return tuple(
        jnp.asarray(rng.normal(mean, 1.0, shape), jnp.float32)
        for mean, shape in zip((SHIFT, 0.0), shapes, strict=True)
    )


def run(key, xs, ys, name, start=init, **options):
    options = {"optimizer": optax.adam(0.03), "num_steps": 200, "batch_size": 100, **options}
    return estimate(key, xs, ys, DIVERGENCES[name], start, linear, **options)


@pytest.fixture(scope="module")
def fit():
    """Many estimates of KL, from the same first slope."""

    @jax.jit
    def fit(keys, xs, ys, slope):
        def start(key):
            return jnp.stack([slope, 0.0])

        return jax.vmap(lambda key, x, y: run(key, x, y, "kl", start))(keys, xs, ys)

    def checked(xs, ys, slope):
        with jax.debug_key_reuse(True):  # in fixtures too, lest it compile again in tests
            return fit(jax.random.split(jax.random.key(0), RUNS), xs, ys, slope)

    return checked


@pytest.fixture(scope="module")
def runs(fit):
    return fit(*samples(400, 600, (RUNS,)), 0.0)


def test_the_held_out_value_is_unbiased_for_the_critics_bound(runs):
    a, b = np.asarray(runs.params, float).T
    bound = 1 + a * SHIFT + b - np.exp(b + a**2 / 2)  # E_p (1 + v) - E_q e^v, in closed form
    errors = np.asarray(runs.value) - bound
    assert_unbiased(errors, 0.0)
    with rejected():  # the best of its last training batches flatters it
        assert_unbiased(runs.training_bounds[:, -20:].max(axis=1) - bound, 0.0)
    covered = (np.asarray(runs.lower) <= bound) & (bound <= np.asarray(runs.upper))
    assert 0.9 < covered.mean() < 0.99  # 95%; 4 standard errors are 5%
    np.testing.assert_allclose(runs.stderr.mean(), errors.std(), rtol=0.2)
    assert runs.all_finite.all()


def test_the_bound_lies_at_and_not_above_the_divergence(runs):
    assert 0.46 < runs.value.mean() < 0.51
    assert (runs.lower > 0.5).mean() < 0.06


def test_the_interval_is_of_what_was_held_out():
    """Two of six on either side: one of all ways to draw them, exactly."""
    xs, ys = np.array([0.0, 1.0, 3.0, 7.0, 12.0, 20.0]) / 10, np.arange(6.0) ** 2 / 20

    def ways(terms):
        return np.array(
            [(np.mean(pair), np.var(pair, ddof=1) / 2) for pair in combinations(terms, 2)]
        )

    for_p, for_q = ways(1 + xs), ways(np.exp(ys))  # log p/q = v: E_p (1 + v) - E_q e^v
    values = for_p[:, None, 0] - for_q[:, 0]
    errors = np.sqrt(for_p[:, None, 1] + for_q[:, 1])
    found = run(
        jax.random.key(0), *map(jnp.float32, (xs, ys)), "kl", lambda key: jnp.array([1.0, 0.0]),
        optimizer=optax.sgd(0.0), num_steps=1, batch_size=2, held_out=1 / 3, confidence=0.8,
    )  # fmt: skip
    at = np.unravel_index(np.argmin(np.abs(values - found.value)), values.shape)
    assert float(found.value) == pytest.approx(values[at], rel=1e-5)
    assert float(found.stderr) == pytest.approx(errors[at], rel=1e-5)
    half = stats.norm.ppf(0.9) * errors[at]
    np.testing.assert_allclose(
        [found.lower, found.upper], values[at] + half * np.array([-1, 1]), rtol=1e-4
    )


def test_trouble_is_reported(fit):
    """A NaN among the samples; a critic so steep that the bound is not finite."""
    xs, ys = samples(400, 600, (RUNS,))
    broken = fit(xs.at[7, 3].set(jnp.nan), ys, 0.0)
    assert np.flatnonzero(~np.asarray(broken.all_finite)).tolist() == [7]
    steep = fit(xs, ys, 1000.0)
    assert not steep.all_finite.any()


def test_an_interval_that_overflows_is_no_finite_estimate():
    """Terms up to e^69, whose squares float32 does not hold: the value is finite, its error not."""
    xs, ys = jnp.zeros((8, 1)), jnp.arange(8.0)[:, None]
    found = estimate(
        jax.random.key(0),
        xs,
        ys,
        DIVERGENCES["kl"],
        lambda key: jnp.zeros(()),
        lambda p, x: p + 20 * x[:, 0] - 70,
        optimizer=optax.sgd(0.0),
        num_steps=1,
        batch_size=4,
    )
    assert jnp.isfinite(found.value)
    assert not jnp.isfinite(found.upper)
    assert not found.all_finite


def test_total_variation_by_its_activation():
    xs, ys = samples(4000, 4000)
    with pytest.raises(ValueError, match="bound: got variational_bound for total variation"):
        run(jax.random.key(1), xs, ys, "total_variation")
    result = jax.jit(lambda key: run(key, xs, ys, "total_variation", bound=activated_bound))(
        jax.random.key(1)
    )
    assert result.value > 0.3  # 2 Phi(1/2) - 1 = .3829, of which tanh of a line has most
    assert result.lower < 0.3829


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"held_out": 0.0}, "held_out: got 0.0, expected a number between 0 and 1"),
        ({"held_out": 0.001}, "held_out: got 0.001 of 400 p_samples"),
        ({"confidence": 95.0}, "confidence: got 95.0"),
        ({"num_steps": 0}, "num_steps: got 0"),
        ({"batch_size": -1}, "batch_size: got -1"),
        ({"n": 1}, r"p_samples: got shape \(1,\)"),
    ],
)
def test_misuse_is_named(options, message):
    xs, ys = samples(options.pop("n", 400), 600)
    with pytest.raises(ValueError, match=message):
        run(jax.random.key(4), xs, ys, "kl", **options)


def test_a_critic_of_the_wrong_shape_is_refused():
    column = lambda params, x: linear(params, x)[:, None]  # noqa: E731
    with pytest.raises(ValueError, match=r"v_p: got shape \(256, 1\)"):
        estimate(jax.random.key(6), *samples(20, 20), DIVERGENCES["kl"], init, column)

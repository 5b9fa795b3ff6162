"""Divergences estimated by a trained critic: the held-out bound and its interval."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from laws import assert_unbiased, rejected

from jaxgen.divergences import DIVERGENCES, activated_bound, estimate

SHIFT = 1.0  # p = N(1, 1), q = N(0, 1): log p/q = x - 1/2, KL = 1/2


def init(key):
    return jnp.zeros(2)


def linear(params, x):
    return params[0] * x + params[1]


def sampled(key, n, m):
    key_p, key_q = jax.random.split(key)
    return SHIFT + jax.random.normal(key_p, (n,)), jax.random.normal(key_q, (m,))


def run(key, name, n=400, m=600, **options):
    key_data, key_fit = jax.random.split(key)
    xs, ys = sampled(key_data, n, m)
    options = {"optimizer": optax.adam(0.03), "num_steps": 200, "batch_size": 100, **options}
    return estimate(key_fit, xs, ys, DIVERGENCES[name], init, linear, **options)


@pytest.fixture(scope="module")
def runs():
    return jax.jit(jax.vmap(lambda key: run(key, "kl")))(jax.random.split(jax.random.key(0), 300))


def test_the_held_out_value_is_unbiased_for_the_critics_bound(runs):
    a, b = np.asarray(runs.params, float).T
    bound = 1 + a * SHIFT + b - np.exp(b + a**2 / 2)  # E_p (1 + v) - E_q e^v, in closed form
    errors = np.asarray(runs.value) - bound
    assert_unbiased(errors, 0.0)
    with rejected():  # the samples that it was trained on flatter it
        assert_unbiased(runs.training_bounds[:, -50:].mean(axis=1) - bound, 0.0)
    covered = (np.asarray(runs.lower) <= bound) & (bound <= np.asarray(runs.upper))
    assert 0.9 < covered.mean() < 0.99  # 95%; 5 standard errors are 6%
    np.testing.assert_allclose(runs.stderr.mean(), errors.std(), rtol=0.2)
    assert runs.all_finite.all()


def test_the_bound_lies_at_and_not_above_the_divergence(runs):
    assert runs.value.mean() == pytest.approx(0.5, abs=0.03)
    assert (runs.lower > 0.5).mean() < 0.06


def test_total_variation_by_its_activation():
    with pytest.raises(ValueError, match="bound: got variational_bound for total variation"):
        run(jax.random.key(1), "total_variation")
    options = {"bound": activated_bound, "num_steps": 400}
    result = jax.jit(lambda key: run(key, "total_variation", 4000, 4000, **options))(
        jax.random.key(1)
    )
    assert result.lower < 0.3829 < result.upper + 0.05  # 2 Phi(1/2) - 1
    assert result.value > 0.3


def test_trouble_is_reported():
    """A NaN among the samples; a critic so steep that the bound is not finite."""

    @jax.jit
    def finite(xs, slope):
        return estimate(
            jax.random.key(3),
            xs,
            xs[::-1],
            DIVERGENCES["pearson"],
            lambda key: jnp.stack([slope, 0.0]),
            linear,
            num_steps=3,
            batch_size=5,
        ).all_finite

    xs = sampled(jax.random.key(2), 40, 40)[0]
    assert finite(xs, 0.1)
    assert not finite(xs.at[3].set(jnp.nan), 0.1)
    assert not finite(xs, 100.0)


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
    with pytest.raises(ValueError, match=message):
        run(jax.random.key(4), "kl", **options)


def test_a_critic_of_the_wrong_shape_is_refused():
    xs, ys = sampled(jax.random.key(5), 20, 20)
    with pytest.raises(ValueError, match=r"v_p: got shape \(256, 1\)"):
        estimate(
            jax.random.key(6), xs, ys, DIVERGENCES["kl"], init, lambda p, x: linear(p, x)[:, None]
        )

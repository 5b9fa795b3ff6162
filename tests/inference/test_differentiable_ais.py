"""Annealing without rejections, exactly: over the nodes of its noise, for a Gaussian model."""

from unittest import mock

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.certify import normal_quadrature
from jaxgen.inference import differentiable_annealed_weight, leapfrog, linear_temperatures

LOG_P = float(distrax.Normal(0.0, 1.64**0.5).log_prob(2.0))
NOISE, PROBS = normal_quadrature(24, 3)
START = {"mean": jnp.array(0.5), "scale": jnp.array(1.1), "step": jnp.array(0.4)}


def log_weights(params, num_steps, move=leapfrog):
    """At every node: of the start, of the first momentum, of what renews it."""
    initial = distrax.Normal(params["mean"], params["scale"])

    def log_joint(z):
        return distrax.Normal(0.0, 1.0).log_prob(z) + distrax.Normal(z, 0.8).log_prob(2.0)

    def one(noise):
        # The last renewal is never used: so of two steps one is, and all may have the same noise.
        drawn = iter(noise)
        normal = lambda key, shape=(), dtype=float: jnp.broadcast_to(next(drawn), shape)  # noqa: E731
        with (
            mock.patch.object(jax.random, "normal", normal),
            mock.patch("jaxgen.inference.differentiable_ais.leapfrog", move),
        ):
            return differentiable_annealed_weight(
                jax.random.key(0),
                log_joint,
                initial,
                linear_temperatures(num_steps),
                step_size=params["step"],
                momentum_kept=0.6,
            ).log_weight

    return jax.vmap(one)(NOISE)


def not_of_volume_one(*args):
    z, momentum = leapfrog(*args)
    return z, 0.9 * momentum


def test_its_mean_weight_is_p_and_its_mean_log_weight_a_bound_that_rises_with_steps():
    def means(num_steps, move=leapfrog):
        logs = log_weights(START, num_steps, move)
        return PROBS @ jnp.exp(logs), PROBS @ logs

    (one, low), (two, high), (broken, _) = jax.jit(
        lambda: (means(1), means(2), means(2, not_of_volume_one))
    )()
    np.testing.assert_allclose([one, two], np.exp(LOG_P), rtol=1e-3)
    assert abs(broken / np.exp(LOG_P) - 1) > 0.05
    prior_z = START["mean"] + START["scale"] * NOISE[:, 0]
    elbo = PROBS @ (
        distrax.Normal(0.0, 1.0).log_prob(prior_z)
        + distrax.Normal(prior_z, 0.8).log_prob(2.0)
        - distrax.Normal(START["mean"], START["scale"]).log_prob(prior_z)
    )
    assert elbo < low < high < LOG_P


def test_the_bound_can_be_climbed_by_all_that_it_is_made_of():
    bound = jax.jit(jax.value_and_grad(lambda params: PROBS @ log_weights(params, 2)))
    before, slopes = bound(START)
    assert all(np.abs(slope) > 1e-3 for slope in slopes.values())
    after, _ = bound(jax.tree.map(lambda x, slope: x + 0.02 * slope, START, slopes))
    gain = 0.02 * sum(float(slope) ** 2 for slope in slopes.values())
    np.testing.assert_allclose(after - before, gain, rtol=0.2)
    assert after < LOG_P


def test_refusals(key):
    q = distrax.Normal(0.0, 1.0)
    with pytest.raises(ValueError, match=r"momentum_kept: got 1\.0, expected a number in \[0, 1\)"):
        differentiable_annealed_weight(
            key, q.log_prob, q, linear_temperatures(2), step_size=0.1, momentum_kept=1.0
        )

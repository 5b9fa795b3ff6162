"""The mix against exact gradients, and against its members: false-alarm rate 1e-6 per law."""

import dataclasses
import functools

import chex
import distrax
import jax
import jax.numpy as jnp
import numpy as np
import problems
import pytest
from jax.flatten_util import ravel_pytree
from laws import assert_unbiased, rejected

from jaxgen.bounds import IWAE
from jaxgen.estimators import (
    arm,
    count_evaluations,
    disarm,
    leave_one_out,
    measure_valued,
    mix,
    moving_average,
    pathwise,
    rebar,
    relaxed,
    score_function,
    vimco,
)
from jaxgen.estimators.mix import MixState, least_variance

RLOO = score_function(2, baseline=leave_one_out())
CASES = {
    "bits": (problems.coupled, (RLOO, disarm(2), score_function(2, baseline=moving_average()))),
    "states": (problems.one_hot, (RLOO, rebar(1))),
    "normal": (problems.cosine, (RLOO, pathwise(2), measure_valued(1))),
    "inside": (problems.gaussian_inside, (RLOO, pathwise(2))),
}
NUM_DRAWS = 20_000


@functools.cache
def learned(name):
    """(problem, mix, what it has learned from 20 batches of 64 draws)."""
    problem, members = CASES[name]
    estimator = mix(members)

    def estimate(state, key):
        return jax.grad(problems.surrogate(estimator, problem, state), has_aux=True)(
            problem.params, key
        )[1]

    def step(state, key):
        return estimator.update(
            state, jax.vmap(estimate, (None, 0))(state, jax.random.split(key, 64))
        ), None

    def run(key):
        key_init, key_steps = jax.random.split(key)
        state = estimator.init(key_init, problem.q(problem.params))
        return jax.lax.scan(step, state, jax.random.split(key_steps, 20))[0]

    return problem, estimator, jax.jit(run)(jax.random.key(1))


@pytest.mark.parametrize("name", CASES)
def test_unbiased_and_less_noisy_than_every_member(name, key):
    problem, estimator, state = learned(name)
    keys = jax.random.split(key, len(CASES[name][1]) + 1)
    mixed = np.asarray(problems.draws(estimator, problem, keys[0], NUM_DRAWS, state))
    assert_unbiased(mixed, problem.gradient())
    with rejected():
        assert_unbiased(1.05 * mixed, problem.gradient())
    np.testing.assert_allclose(state.weights().sum(), 1.0, rtol=1e-5)

    def noise(draws):
        squares = np.sum((draws - np.asarray(problem.gradient())) ** 2, axis=1)
        return squares.mean(), squares.std() / np.sqrt(len(squares))

    variance, stderr = noise(mixed)
    for member, own, key_draws in zip(CASES[name][1], state.members, keys[1:], strict=True):
        best, its_stderr = noise(
            np.asarray(problems.draws(member, problem, key_draws, NUM_DRAWS, own))
        )
        assert variance < best + 5 * np.hypot(stderr, its_stderr), member
        if name in ("bits", "states", "normal"):
            assert variance < 0.95 * best, member


def test_a_draw_that_weighs_itself_is_biased(key):
    problem, members = problems.bernoulli_inside, (RLOO, disarm(2))
    estimator = mix(members)

    def apply(state, key, f, q, context=None):
        _, estimate = estimator.apply(state, key, f, q, context)
        gradients = estimate.statistics[1]
        products = gradients @ gradients.T
        seen = dataclasses.replace(state, products=products, count=jnp.asarray(1e6))
        return estimator.apply(seen, jax.random.clone(key), f, q, context)

    broken = dataclasses.replace(estimator, apply=apply)
    state = estimator.init(jax.random.key(1), problem.q(problem.params))
    assert_unbiased(problems.draws(estimator, problem, key, NUM_DRAWS, state), problem.gradient())
    with rejected():
        draws = problems.draws(broken, problem, jax.random.clone(key), NUM_DRAWS, state)
        assert_unbiased(draws, problem.gradient())


@pytest.mark.parametrize("covariance", [[[1.0, 0.0], [0.0, 4.0]], [[1.0, 1.5], [1.5, 4.0]]])
def test_the_weights_are_those_of_least_variance(covariance):
    """w = C⁻¹ 1 / 1'C⁻¹ 1, a signal common to both changing nothing; the second one negative."""
    solved = np.linalg.solve(covariance, np.ones(2))
    products = jnp.asarray(covariance) + 3.0
    found = least_variance(products, jnp.asarray(1e6))
    np.testing.assert_allclose(found, solved / solved.sum(), atol=1e-4)
    few = least_variance(products, jnp.asarray(1.0))
    assert np.all(np.abs(few - 0.5) < np.abs(found - 0.5))
    for alike in (jnp.zeros((2, 2)), jnp.full((2, 2), 3.0)):
        np.testing.assert_allclose(least_variance(alike, jnp.asarray(9.0)), 0.5, rtol=1e-6)
    np.testing.assert_allclose(least_variance(jnp.zeros((2, 2)), jnp.asarray(0.0)), 0.5)


def test_a_loud_member_does_not_spoil_the_rest():
    """The least variance of C = diag(1, 1, 40,000) is 1 / (1 + 1 + 1 / 40,000), about one half."""
    covariance = np.diag([1.0, 1.0, 4e4])
    for count in (1.0, 100.0):
        weights = np.asarray(least_variance(jnp.asarray(covariance), jnp.asarray(count)))
        assert weights @ covariance @ weights == pytest.approx(0.5, rel=1e-3)
        assert weights.sum() == pytest.approx(1)
    exact = least_variance(jnp.diag(jnp.array([0.0, 1.0])), jnp.asarray(10.0))
    np.testing.assert_allclose(exact, [1.0, 0.0], atol=1e-5)


def test_averages_leave_out_what_is_not_finite():
    problem, estimator, state = learned("bits")
    apply = problems.surrogate(estimator, problem, state)
    shapes = jax.eval_shape(apply, problem.params, jax.random.key(0))[1]
    estimates = jax.tree.map(lambda x: jnp.full((2, *x.shape), 0.3, x.dtype), shapes)
    of_members, gradients = estimates.statistics
    gradients = jax.random.normal(jax.random.key(3), gradients.shape)
    estimates = estimates._replace(statistics=(of_members, gradients))
    spoiled = estimates._replace(statistics=(of_members, gradients.at[0].set(jnp.nan)))
    alone = jax.tree.map(lambda x: x[1:], estimates)
    found, expected = estimator.update(state, spoiled), estimator.update(state, alone)
    # Half of the batch is known, and so it weighs half.
    assert found.weight < expected.weight
    assert np.isfinite(ravel_pytree(found)[0]).all()
    np.testing.assert_allclose(found.count, expected.count)


def test_a_diagonal_normal_of_either_make_is_mixed_alike(key):
    """One of the two keeps its scale in bound methods."""

    def gradients(make):
        def surrogate(params, key):
            q = make(*params)
            f = lambda z, q=q: jnp.sum(jnp.cos(z)) - q.log_prob(z)  # noqa: E731
            estimator = mix((RLOO, pathwise(2)))
            state = estimator.init(jax.random.key(1), q)
            return estimator.apply(state, key, f, q)

        params = (jnp.array([0.3, -0.5]), jnp.array([0.7, 1.2]))
        return jax.grad(surrogate, has_aux=True)(params, jax.random.clone(key))

    one, two = (
        gradients(make)
        for make in (
            lambda m, s: distrax.Independent(distrax.Normal(m, s), 1),
            distrax.MultivariateNormalDiag,
        )
    )
    chex.assert_trees_all_close(one, two, rtol=1e-4, atol=1e-5)


def test_what_a_member_learns_is_learned_by_its_own_loss(key):
    problem, estimator, state = learned("states")

    def control_loss(estimator, state, key):
        apply = problems.surrogate(estimator, problem, state)
        return apply(problem.params, key)[1].control_loss

    of_mix = jax.grad(lambda s: control_loss(estimator, s, jax.random.clone(key)))(state)
    alone = jax.grad(lambda s: control_loss(rebar(1), s, key))(state.members[1])
    chex.assert_trees_all_close(of_mix.members[1], alone, rtol=1e-4)
    for leaf in jax.tree.leaves(dataclasses.replace(of_mix, members=())):
        np.testing.assert_array_equal(leaf, 0.0)
    assert isinstance(state, MixState)


@pytest.mark.parametrize(
    ("members", "refusal"),
    [
        ((disarm(2),), "got 1, expected two or more"),
        ((disarm(2), relaxed(2)), r"got relaxed\(2\), which is biased"),
        ((disarm(2), vimco(2)), r"got vimco\(2\) of the bound iwae beside one of elbo"),
        ((pathwise(2, bound=IWAE), pathwise(2)), "got .* of the bound elbo beside one of iwae"),
    ],
)
def test_what_cannot_be_mixed_is_refused(members, refusal):
    with pytest.raises(ValueError, match=f"estimators: {refusal}"):
        mix(members)


def test_a_mix_is_known_by_its_call(key):
    assert mix((disarm(2), arm(2))) == mix((disarm(2), arm(2)))
    assert repr(mix((disarm(2), arm(2)))) == "mix((disarm(), arm()))"
    q = problems.coupled.q(problems.coupled.params)
    assert count_evaluations(mix((disarm(2), arm(2))), q) == 4
    with pytest.raises(ValueError, match=r"decay: got 1\.0"):
        mix((disarm(2), arm(2)), decay=1.0)
    with pytest.raises(ValueError, match=r"state: got \(\)"):
        problems.gradient(mix((disarm(2), arm(2))), problems.coupled)(key)

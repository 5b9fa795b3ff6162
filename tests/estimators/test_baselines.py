"""What each control variate of the score function predicts, and how it learns."""

import types

import chex
import distrax
import jax
import jax.numpy as jnp
import numpy as np
import problems
import pytest
from scipy import optimize

from jaxgen.certify import sample_space
from jaxgen.estimators import (
    Estimate,
    constant,
    learned,
    leave_one_out,
    moving_average,
    muprop,
    optimal_coefficient,
    score_function,
)
from jaxgen.estimators.control_variates.optimal_coefficient import squared_score


def control(baseline, state, values, context=None):
    """What a baseline that looks at no sample says where f took these values."""
    values = jnp.asarray(values)
    return baseline.apply(state, jnp.sum, distrax.Normal(0.0, 1.0), values, values, context)


def seen(values):
    return Estimate(jnp.asarray(values), jnp.array(True))


def test_moving_average_is_a_decaying_mean_corrected_for_its_start():
    baseline = moving_average(0.9)
    state = baseline.init(jax.random.key(0), distrax.Normal(0.0, 1.0))
    assert control(baseline, state, [1.0]).values == 0
    batches = np.array([[[1.0, 3.0]], [[5.0, 7.0]], [[2.0, 2.0]]])
    for batch in batches:
        state = baseline.update(state, seen(batch))
    weights = np.array([0.81, 0.9, 1.0])
    expected = weights @ batches.mean(axis=(1, 2)) / weights.sum()
    np.testing.assert_allclose(control(baseline, state, [1.0]).values, expected, rtol=1e-6)


def test_moving_average_leaves_out_what_is_not_finite():
    baseline = moving_average(0.5)
    state = baseline.init(jax.random.key(0), distrax.Normal(0.0, 1.0))
    state = baseline.update(state, seen([[1.0, jnp.nan], [jnp.inf, 3.0]]))
    state = baseline.update(state, seen([[jnp.nan, jnp.nan]]))
    np.testing.assert_allclose(state.mean(), 2.0, rtol=1e-6)


@pytest.mark.parametrize("decay", [-0.1, 1.0, 2.0])
def test_a_decay_outside_its_range_is_refused(decay):
    for baseline in (moving_average, lambda decay: optimal_coefficient(decay=decay)):
        with pytest.raises(ValueError, match=r"decay: got .*, expected a number in \[0, 1\)"):
            baseline(decay)


@pytest.mark.parametrize(("problem", "h"), [(problems.toy(0.1, 1.2), 1.0), (problems.coupled, 2.0)])
def test_the_optimal_coefficient_has_the_least_variance(problem, h):
    # Fed the whole sample space with its probabilities, the coefficient is exact.
    baseline = optimal_coefficient(constant(h), decay=0.0)
    q = problem.q(problem.params)
    samples, weights = sample_space(q, 1)
    samples = samples[:, 0]
    state = baseline.init(jax.random.key(0), q)

    @jax.jit
    def told(params):
        f = lambda z: problem.f(params, z)  # noqa: E731
        values = jax.vmap(f)(samples)
        statistics = baseline.apply(state, f, problem.q(params), samples, values, None).statistics
        return values, statistics, jax.jacobian(lambda p: problem.q(p).log_prob(samples))(params)

    values, (products, squares, inner), score = told(problem.params)
    statistics = (products * weights, squares * weights, inner)
    state = baseline.update(state, Estimate(values, jnp.array(True), statistics))

    score, values, weights = map(np.asarray, (score.reshape(len(samples), -1), values, weights))

    def trace(c):
        draws = (values - c)[:, None] * score
        return np.sum(weights @ (draws - weights @ draws) ** 2)

    best = optimize.minimize_scalar(trace, bounds=(-10, 10), method="bounded").x
    np.testing.assert_allclose(state.running.mean() * h, best, atol=1e-2)
    assert trace(best) < 0.9 * trace(0.0)


@pytest.mark.parametrize(
    ("distribution", "params"),
    [
        (lambda p: distrax.Bernoulli(p), jnp.array(0.4)),
        (lambda p: distrax.Categorical(p), jnp.array([0.1, -0.5, 1.0])),
        (lambda p: distrax.Independent(distrax.OneHotCategorical(p), 1), jnp.ones((2, 3))),
        (lambda p: distrax.Normal(*p), jnp.array([0.4, 1.2])),
        # Of its loc and scale alone, whatever else it stores that is made of them.
        (lambda p: distrax.MultivariateNormalDiag(*p), jnp.array([[0.4, -1.0], [1.2, 0.5]])),
    ],
)
def test_the_score_is_the_gradient_in_the_parameters(distribution, params, key):
    samples = distribution(params).sample(seed=key, sample_shape=(5,))
    score = jax.jit(jax.vmap(jax.grad(lambda p, z: distribution(p).log_prob(z)), (None, 0)))
    expected = jnp.sum(score(params, samples).reshape(5, -1) ** 2, axis=1)
    np.testing.assert_allclose(squared_score(distribution(params), samples), expected, rtol=1e-5)


def test_the_learned_baseline_lowers_its_control_loss(key):
    problem = problems.bernoulli_inside
    x = jnp.array([0.5, 2.0])
    estimator = score_function(
        16, baseline=learned(lambda key, x: jnp.zeros(2), lambda w, x: w @ x)
    )
    state = estimator.init(key, problem.q(problem.params), x)

    def control_loss(state, key):
        estimate = problems.surrogate(estimator, problem, state, x)(problem.params, key)[1]
        return estimate.control_loss, estimate

    grad = jax.jit(jax.grad(control_loss, has_aux=True))
    in_state, estimate = grad(state, jax.random.key(1))
    # d/dw mean (f - w x)^2 = -2 mean(f - w x) x
    np.testing.assert_allclose(in_state, -2 * jnp.mean(estimate.values) * x, rtol=1e-5)

    for i in range(200):
        in_state, _ = grad(state, jax.random.fold_in(jax.random.key(2), i))
        state = state - 0.02 * in_state
    np.testing.assert_allclose(state @ x, problem.exact(problem.params), rtol=0.1)


@pytest.mark.parametrize("baseline", [moving_average(), optimal_coefficient(muprop())])
def test_statistics_in_the_state_have_no_training_signal(baseline):
    problem = problems.bernoulli_inside
    estimator = score_function(4, baseline=baseline)
    state = estimator.init(jax.random.key(0), problem.q(problem.params))
    state = jax.tree.map(lambda x: x + 0.5, state)

    def control_loss(state):
        apply = problems.surrogate(estimator, problem, state)
        return apply(problem.params, jax.random.key(1))[1].control_loss * jnp.ones(())

    gradient = jax.jit(jax.grad(control_loss))(state)
    chex.assert_trees_all_equal(gradient, jax.tree.map(jnp.zeros_like, gradient))


def test_muprop_takes_all_the_variance_of_a_linear_f(key):
    logits = jnp.array([0.3, -1.0])
    f = lambda b: 3.0 * b[0] - b[1]  # noqa: E731
    grad = lambda key: jax.grad(  # noqa: E731
        lambda p: score_function(1, baseline=muprop()).apply(
            (), key, f, distrax.Independent(distrax.Bernoulli(p), 1)
        )[0]
    )(logits)
    slope = jax.nn.sigmoid(logits) * jax.nn.sigmoid(-logits)
    draws = jax.jit(jax.vmap(grad))(jax.random.split(key, 10))
    np.testing.assert_allclose(draws, jnp.tile(jnp.array([3.0, -1.0]) * slope, (10, 1)), rtol=1e-5)


def test_the_coefficient_keeps_the_state_of_what_it_scales():
    values = jnp.array([1.0, 3.0])
    outer = optimal_coefficient(moving_average(0.5), decay=0.5)
    state = outer.init(jax.random.key(0), distrax.Normal(0.0, 1.0))
    told = control(outer, state, values)
    state = outer.update(state, Estimate(values, jnp.array(True), told.statistics))
    np.testing.assert_allclose(state.inner.mean(), 2.0)


def test_the_coefficient_passes_on_the_loss_of_what_it_scales():
    x = jnp.ones(2)
    outer = optimal_coefficient(learned(lambda key, x: jnp.zeros(2), lambda w, x: w @ x))
    state = outer.init(jax.random.key(0), distrax.Normal(0.0, 1.0), x)
    np.testing.assert_allclose(control(outer, state, jnp.array([1.0, 3.0]), x).loss, 5.0)


def test_leave_one_out_is_the_mean_of_the_others():
    others = control(leave_one_out(), (), [1.0, 2.0, 6.0])
    np.testing.assert_allclose(others.values, [4.0, 3.5, 1.5], rtol=1e-6)


def test_bad_input():
    key = jax.random.key(0)
    q = distrax.Categorical(jnp.zeros(3))
    with pytest.raises(ValueError, match="q: got Categorical, expected a distribution with a mean"):
        score_function(1, baseline=muprop()).apply((), key, lambda z: 1.0 * z, q)
    network = learned(lambda key, x: x, lambda w, x: w * x)
    with pytest.raises(ValueError, match="context: got None"):
        network.init(jax.random.key(1), q)
    with pytest.raises(ValueError, match=r"apply: got shape \(2,\), expected one number"):
        control(network, jnp.ones(2), [1.0], context=jnp.ones(2))
    opaque = types.SimpleNamespace(sample=q.sample, log_prob=q.log_prob)
    with pytest.raises(ValueError, match="q: got SimpleNamespace, expected a pytree of its param"):
        squared_score(opaque, jnp.ones(1))

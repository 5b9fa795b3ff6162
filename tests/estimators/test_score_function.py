"""The score function with each control variate, against exact gradients.

False-alarm rate 1e-6 per test. At the sample sizes used a gradient 2% too large is rejected.
"""

import dataclasses

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import problems
import pytest
from laws import assert_unbiased, rejected

from jaxgen.bounds import ELBO, IWAE, VR_MAX, renyi
from jaxgen.certify import exact_moments, replay, sample_space
from jaxgen.estimators import (
    Baseline,
    Control,
    constant,
    learned,
    leave_one_out,
    moving_average,
    muprop,
    none,
    optimal_coefficient,
    score_function,
    without_score,
)

DRAWS, SAMPLES = 2000, 256
CONTEXT = jnp.array([0.3, -0.2])
network = learned(
    lambda key, x: jax.random.normal(key, x.shape), lambda params, x: jnp.sum(params * x)
)
BASELINES = {
    "none": none(),
    "constant": constant(0.5),
    "moving_average": moving_average(0.5),
    "optimal_coefficient": optimal_coefficient(decay=0.5),
    "optimal_muprop": optimal_coefficient(muprop(), decay=0.5),
    "learned": network,
    "leave_one_out": leave_one_out(),
    "muprop": muprop(),
}
LAWS = [
    *(("none", p) for p in (problems.gaussian_inside, problems.coupled, problems.bernoulli_inside)),
    *(("none", p) for p in (problems.categoricals, problems.one_hots)),
    *(("leave_one_out", p) for p in (problems.gaussian_inside, problems.cosine, problems.coupled)),
    *(("leave_one_out", p) for p in (problems.bernoulli_inside, problems.categoricals)),
    *(("muprop", p) for p in (problems.gaussian_inside, problems.bernoulli_inside)),
    *(("muprop", p) for p in (problems.coupled, problems.one_hots)),
    *(("optimal_coefficient", p) for p in (problems.gaussian_inside, problems.categoricals)),
    ("optimal_muprop", problems.bernoulli_inside),
    ("moving_average", problems.bernoulli_inside),
    ("learned", problems.gaussian_inside),
    ("learned", problems.bernoulli_inside),
    ("constant", problems.bernoulli_inside),
]


def state_after_a_batch(estimator, problem, key):
    """The state that one batch, independent of what follows, leaves behind."""
    key_init, key_batch = jax.random.split(key)
    state = estimator.init(key_init, problem.q(problem.params), CONTEXT)
    apply = problems.surrogate(estimator, problem, state, CONTEXT)
    batch = lambda keys: jax.vmap(apply, (None, 0))(problem.params, keys)[1]  # noqa: E731
    estimates = jax.jit(batch)(jax.random.split(key_batch, 32))
    return estimator.update(state, estimates)


@pytest.mark.parametrize(("name", "problem"), LAWS, ids=lambda x: getattr(x, "name", x))
def test_is_unbiased(name, problem, key):
    estimator = score_function(4 * SAMPLES if name == "none" else SAMPLES, baseline=BASELINES[name])
    key_state, key_draws = jax.random.split(key)
    state = state_after_a_batch(estimator, problem, key_state)
    draws = problems.draws(estimator, problem, key_draws, DRAWS, state, CONTEXT)
    assert_unbiased(draws, problem.gradient())
    with rejected():
        assert_unbiased(1.02 * draws, problem.gradient())


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype float64")  # within TFP's sampler
def test_is_unbiased_for_poisson(key):
    with jax.debug_key_reuse(False):  # nor does that sampler keep to the rule on keys
        draws = problems.draws(
            score_function(4, baseline=leave_one_out()), problems.poisson, key, DRAWS
        )
    assert_unbiased(draws, problems.poisson.gradient())


def test_a_baseline_that_sees_its_own_sample_is_rejected(key):
    mean_of_all = Baseline(lambda state, f, q, samples, values, context: Control(jnp.mean(values)))
    draws = problems.draws(
        score_function(8, baseline=mean_of_all), problems.quadratic, key, 20 * DRAWS
    )
    with rejected():
        assert_unbiased(draws, problems.quadratic.gradient())


def test_a_control_variate_without_its_mean_is_rejected(key):
    full = muprop()
    forgetful = dataclasses.replace(full, apply=lambda *args: full.apply(*args)._replace(mean=0.0))
    draws = problems.draws(
        score_function(SAMPLES, baseline=forgetful), problems.quadratic, key, DRAWS
    )
    with rejected():
        assert_unbiased(draws, problems.quadratic.gradient())


def test_params_inside_f_left_out_are_rejected(key):
    problem = problems.bernoulli_inside
    blind = problem._replace(f=lambda params, b: problem.f(jax.lax.stop_gradient(params), b))
    draws = problems.draws(score_function(SAMPLES), blind, key, DRAWS)
    with rejected():
        assert_unbiased(draws, problem.gradient())


def test_a_reused_key_is_rejected(key):
    # A baseline from a second sample is independent, unless it is drawn with the key of the first.
    def from_key(key):
        def apply(state, f, q, samples, values, context):
            return Control(jax.vmap(f)(q.sample(seed=key, sample_shape=(len(samples),))))

        return score_function(64, baseline=Baseline(apply))

    def draws(estimator_of, key):
        def one(key):
            first, second = jax.random.split(key)
            return problems.gradient(from_key(estimator_of(first, second)), problems.quadratic)(
                first
            )

        return jax.jit(jax.vmap(one))(jax.random.split(key, DRAWS))

    independent, reused = jax.random.split(key)
    truth = problems.quadratic.gradient()
    assert_unbiased(draws(lambda first, second: second, independent), truth)
    with jax.debug_key_reuse(False), rejected():
        assert_unbiased(draws(lambda first, second: first, reused), truth)


def exact_variance(estimator, problem, num_samples):
    def gradient(samples):
        def loss(params):
            q = replay(problem.q(params), samples)
            return estimator.apply((), jax.random.key(0), lambda z: problem.f(params, z), q)[0]

        return jax.grad(loss)(problem.params)

    return exact_moments(jax.jit(gradient), *sample_space(problem.q(problem.params), num_samples))


@pytest.mark.parametrize("problem", problems.BERNOULLI[:2], ids=problems.by_name)
def test_exact_moments_on_the_toy(problem):
    plain = exact_variance(score_function(2), problem, 2)
    rloo = exact_variance(score_function(2, baseline=leave_one_out()), problem, 2)
    for moments in (plain, rloo):
        np.testing.assert_allclose(moments.mean, problem.gradient()[0], rtol=1e-4, atol=1e-8)
    # One Bernoulli: Var[f (b - p)] / 2, and RLOO is (f(1) - f(0)) [b_1 != b_2] / 2 on average.
    p = jax.nn.sigmoid(problem.params)
    f0, f1 = problem.f(None, 0.0), problem.f(None, 1.0)
    second = p * (f1 * (1 - p)) ** 2 + (1 - p) * (f0 * p) ** 2
    grad = (f1 - f0) * p * (1 - p)
    np.testing.assert_allclose(plain.trace, (second - grad**2) / 2, rtol=1e-4)
    differ = 2 * p * (1 - p)
    np.testing.assert_allclose(
        rloo.trace, ((f1 - f0) / 2) ** 2 * differ * (1 - differ), rtol=1e-3, atol=1e-12
    )
    assert rloo.trace < plain.trace


@pytest.mark.parametrize("name", ["leave_one_out", "muprop"])
def test_second_derivatives_are_unbiased(name, key):
    problem = problems.bernoulli_inside
    apply = problems.surrogate(score_function(16, baseline=BASELINES[name]), problem)
    flat, unravel = jax.flatten_util.ravel_pytree(problem.params)
    hessian = jax.hessian(lambda flat, key: apply(unravel(flat), key)[0])
    draws = jax.jit(jax.vmap(lambda key: hessian(flat, key)))(jax.random.split(key, DRAWS))
    truth = jax.jit(jax.hessian(lambda flat: problem.exact(unravel(flat))))(flat)
    assert_unbiased(draws, truth)


def test_a_surrogate_of_first_order_only_is_rejected(key):
    problem = problems.quadratic
    flat, unravel = jax.flatten_util.ravel_pytree(problem.params)

    def surrogate(flat, key):  # log q times f, the usual one
        q = problem.q(unravel(flat))
        z = jax.lax.stop_gradient(q.sample(seed=key, sample_shape=(64,)))
        return jnp.mean(q.log_prob(z) * jax.vmap(lambda z: problem.f(None, z))(z))

    hessian = lambda key: jax.hessian(surrogate)(flat, key)  # noqa: E731
    draws = jax.jit(jax.vmap(hessian))(jax.random.split(key, DRAWS))
    with rejected():
        truth = jax.jit(jax.hessian(lambda flat: problem.exact(unravel(flat))))(flat)
        assert_unbiased(draws, truth)


def test_bad_input():
    q = distrax.Bernoulli(jnp.zeros(3))
    key_q, key_f = jax.random.split(jax.random.key(0))
    with pytest.raises(ValueError, match="num_samples: got 0, expected an integer >= 1"):
        score_function(0)
    with pytest.raises(ValueError, match="num_samples: got 1, expected an integer >= 2"):
        score_function(1, baseline=leave_one_out())
    with pytest.raises(ValueError, match=r"q: got a Bernoulli of batch shape \(3,\)"):
        score_function(2).apply((), key_q, jnp.sum, q)
    with pytest.raises(ValueError, match=r"f: got shape \(3,\) for one sample"):
        score_function(2).apply((), key_f, lambda z: z, distrax.Independent(q, 1))


BITS = lambda logit: distrax.Independent(distrax.Bernoulli(jnp.array([0.0, logit])), 1)  # noqa: E731


@pytest.mark.parametrize(
    ("q", "is_finite"),
    [
        (BITS(jnp.nan), False),
        (BITS(30.0), True),
        (BITS(jnp.inf), True),  # a bit that is always one, whose score is zero
        (distrax.Normal(jnp.inf, 1.0), False),
        (distrax.Normal(0.0, jnp.nan), False),
    ],
)
def test_params_that_are_no_numbers_are_told(q, is_finite, key):
    _, estimate = score_function(4).apply((), key, lambda z: jnp.sum(z) * 1.0, q)
    assert estimate.all_finite == is_finite


@pytest.mark.parametrize("name", ["none", "moving_average", "leave_one_out"])
def test_a_value_of_minus_infinity_loses_its_score_and_is_told(name, key):
    """What is left: f's own slope, and the scores of the finite values where h is finite too."""
    samples = jnp.array([0.5, -1.0, 2.0])
    estimator = score_function(3, baseline=BASELINES[name])
    state = estimator.init(key, distrax.Normal(0.0, 1.0))

    def surrogate(mean, weight):
        q = replay(distrax.Normal(mean, 1.0), samples)
        return estimator.apply(state, key, lambda z: jnp.where(z > 1, -jnp.inf, weight * z), q)

    (value, estimate), (in_mean, in_weight) = jax.value_and_grad(
        surrogate, argnums=(0, 1), has_aux=True
    )(0.0, 2.0)
    assert value == -jnp.inf
    assert not estimate.all_finite
    # Scores z times f = 2 z; with the others' mean as a baseline only the last h is finite.
    expected = 0.0 if name == "leave_one_out" else (0.5 * 1.0 + 1.0 * 2.0) / 3
    np.testing.assert_allclose(in_mean, expected, rtol=1e-6)
    np.testing.assert_allclose(in_weight, (0.5 - 1.0) / 3, rtol=1e-6)


def test_a_custom_distribution_is_enough(key):
    class Coin:
        def sample(self, *, seed, sample_shape=()):
            return jax.random.bernoulli(seed, 0.3, sample_shape)

        def log_prob(self, value):
            return jnp.where(value, jnp.log(0.3), jnp.log(0.7))

    value, estimate = score_function(8).apply((), key, lambda z: z, Coin())
    np.testing.assert_allclose(value, estimate.values.mean(), rtol=1e-6)
    assert estimate.all_finite


def test_the_score_of_log_q_inside_f_is_left_out(key):
    """At the posterior log p - log q is constant: written `f(z, q=q)`, every gradient is zero.

    With q under another name its score stays in, as it once did: all of the variance.
    """
    rloo, prior = score_function(4, baseline=leave_one_out()), distrax.Normal(0.0, 1.0)

    def gradients(write):
        def elbo(mean, key):
            q = distrax.Normal(mean, 1.0)
            return rloo.apply((), key, write(q), q)[0]

        keys = jax.random.split(jax.random.clone(key), 1000)
        return jax.jit(jax.vmap(jax.grad(elbo), (None, 0)))(0.0, keys)

    documented = gradients(lambda q: lambda z, q=q: prior.log_prob(z) - q.log_prob(z))
    np.testing.assert_allclose(documented, 0.0, atol=1e-5)
    hidden = gradients(lambda q: lambda z, p=q: prior.log_prob(z) - p.log_prob(z))
    assert np.var(hidden) > 0.2
    assert_unbiased(hidden, 0.0)


@pytest.mark.parametrize("bound", [IWAE, renyi(0.5), VR_MAX])
def test_under_a_bound_that_is_not_linear_the_score_counts(bound):
    f = lambda z, q=None: z  # noqa: E731
    assert without_score(f, distrax.Normal(0.0, 1.0), bound) is f
    assert without_score(f, distrax.Normal(0.0, 1.0), ELBO) is not f


def test_an_f_without_q_is_left_as_it_is():
    for f in (jnp.sum, lambda z, p=1.0: z, lambda q, /: q, max):
        assert without_score(f, distrax.Normal(0.0, 1.0)) is f

"""REBAR, and the control variate it shares with RELAX: false-alarm rate 1e-6 per law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from problems import BERNOULLI, ONE_HOT, bernoulli_inside, by_name, coupled, draws, toy
from quadrature import gradients_at, moments, nodes, with_uniform
from scipy.special import expit

from jaxgen.estimators import RebarState, rebar
from jaxgen.estimators.control_variates.relaxed_control import relaxed_control

NUM_DRAWS = 100_000
TEMPERATURE, ETA = 0.7, 0.8
STATE = RebarState(log_temperature=jnp.log(TEMPERATURE), eta=jnp.asarray(ETA))


@pytest.mark.parametrize("problem", BERNOULLI + ONE_HOT, ids=by_name)
def test_unbiased(problem, key):
    assert_unbiased(draws(rebar(), problem, key, NUM_DRAWS, STATE), problem.gradient())


def test_a_scale_error_of_two_percent_is_seen(key):
    grads = draws(rebar(), bernoulli_inside, key, NUM_DRAWS, STATE)
    with rejected():
        assert_unbiased(1.02 * grads, bernoulli_inside.gradient())


def by_the_book(noise, noise_given_b, conditioned=True):
    """Equation 7 of Tucker et al. (2017) on `coupled`, by autodiff; z~ of noise of its own."""
    f = lambda b: coupled.f(None, b)  # noqa: E731
    relaxed = lambda z: ETA * f(jax.nn.sigmoid(z / TEMPERATURE))  # noqa: E731

    def surrogate(logits):
        z = logits + noise
        b = jax.lax.stop_gradient((z > 0).astype(z.dtype))
        sign = 2 * b - 1
        z_given_b = sign * jax.nn.softplus(noise_given_b + jax.nn.softplus(sign * logits))
        if not conditioned:
            z_given_b = logits + noise_given_b
        log_prob = jnp.sum(b * jax.nn.log_sigmoid(logits) + (1 - b) * jax.nn.log_sigmoid(-logits))
        weight = jax.lax.stop_gradient(f(b) - relaxed(z_given_b))
        return weight * log_prob + relaxed(z) - relaxed(z_given_b)

    return jax.grad(surrogate)(coupled.params)


def test_equals_the_formula_at_the_coupled_noise():
    """softplus(e + softplus(s logits)) = |z| solved for e makes z~ = z."""
    u = np.random.default_rng(0).uniform(0.02, 0.98, (256, 8))
    noise = np.log(u / (1 - u))
    z = np.asarray(coupled.params, np.float64) + noise
    sign = np.sign(z)
    coupled_noise = np.log(np.expm1(abs(z))) - np.logaddexp(0, sign * np.asarray(coupled.params))
    expected = jax.jit(jax.vmap(by_the_book))(jnp.asarray(noise), jnp.asarray(coupled_noise))
    ours = gradients_at(u, rebar(), coupled, STATE)
    np.testing.assert_allclose(ours, expected, atol=2e-5)


def test_laws_that_broken_noise_breaks(key):
    """z~ of its own noise is unbiased; of z's noise (a reused key), or not given b, it is not."""
    first, second = jax.random.logistic(key, (2, NUM_DRAWS, 8))
    run = jax.jit(jax.vmap(by_the_book, (0, 0, None)), static_argnums=2)
    truth = coupled.gradient()
    assert_unbiased(run(first, second, True), truth)
    with rejected():
        assert_unbiased(run(first, first, True), truth)
    with rejected():
        assert_unbiased(run(first, first, False), truth)


@pytest.mark.parametrize("logit", [-30.0, -3.0, 0.3, 30.0])
def test_mean_by_quadrature_on_one_latent(logit):
    """Exact in float32 at any logit: nothing is clipped and nothing overflows."""
    p = expit(logit)
    mean, variance = moments(rebar(), toy(0.45, logit), STATE, breaks=(1 - p,), count=400)
    np.testing.assert_allclose(mean, 0.1 * p * (1 - p), rtol=1e-4, atol=1e-7)
    assert np.all(np.isfinite(variance))


def test_variance_of_its_own_noise_by_quadrature():
    """Coupling z~ to z leaves no more variance than drawing it apart (at this t, eta)."""
    logit, target, t, eta = 0.3, 0.45, 2.0, 1.0
    p = expit(logit)
    u, w = nodes()
    mean, second = 0.0, 0.0
    for b, prob in ((0, 1 - p), (1, p)):
        s = 2 * b - 1
        z = s * np.logaddexp(0, np.log(u / (1 - u)) + np.logaddexp(0, s * logit))
        soft = expit(z / t)
        c, slope = eta * (soft - target) ** 2, eta * 2 * (soft - target) * soft * (1 - soft) / t
        given = ((b - target) ** 2 - c) * (b - p) - slope * -np.expm1(-abs(z)) * prob
        mean += prob * (w @ given + w @ slope)
        second += prob * (w @ given**2 + 2 * (w @ given) * (w @ slope) + w @ slope**2)
    state = RebarState(log_temperature=jnp.log(t), eta=jnp.asarray(eta))
    ours, variance = moments(rebar(), toy(target, logit), state, breaks=(1 - p,))
    np.testing.assert_allclose(ours, mean, rtol=1e-4)
    assert variance < second - mean**2


def test_eta_zero_is_the_plain_score_function():
    u = np.random.default_rng(1).uniform(size=(64, 8))
    state = RebarState(log_temperature=jnp.asarray(0.0), eta=jnp.asarray(0.0))
    b = (np.log(u / (1 - u)) + np.asarray(coupled.params) > 0).astype(np.float32)
    values = jax.vmap(lambda b: coupled.f(None, b))(b)
    score = b - expit(np.asarray(coupled.params))
    ours = gradients_at(u, rebar(), coupled, state)
    np.testing.assert_allclose(ours, values[:, None] * score, atol=1e-5)


def training_signal(estimator, problem, state, u):
    """[nodes] pytree: the gradient of `control_loss` in the state at each uniform."""

    def one(u):
        def control_loss(state):
            f = lambda z: problem.f(problem.params, z)  # noqa: E731
            q = problem.q(problem.params)
            return estimator.apply(state, jax.random.key(0), f, q)[1].control_loss

        return with_uniform(u, lambda: jax.grad(control_loss)(state))

    return jax.jit(jax.vmap(one))(jnp.asarray(u))


def test_the_state_gets_the_gradient_of_the_variance(x64):
    """Against central differences of the exact variance, on one latent."""
    problem, estimator, step = toy(0.45), rebar(), 1e-4
    u, weights = nodes(1 - expit(0.3))
    signal = training_signal(estimator, problem, STATE, u)
    for name in ("log_temperature", "eta"):
        low, high = (
            moments(
                estimator,
                problem,
                STATE.replace(**{name: getattr(STATE, name) + h}),
                (1 - expit(0.3),),
            )[1].sum()
            for h in (-step, step)
        )
        expected = (high - low) / (2 * step)
        np.testing.assert_allclose(weights @ np.asarray(getattr(signal, name)), expected, rtol=1e-4)


def test_the_signal_is_of_the_variance_of_the_average(key):
    """S samples of one draw give 1/S of the signals of S draws, averaged."""
    problem, num_samples = toy(0.45), 16
    noise = jnp.asarray(np.random.default_rng(2).uniform(size=num_samples))
    many = rebar(num_samples)
    (together,) = training_signal(many, problem, STATE, noise[None]).eta
    alone = training_signal(rebar(), problem, STATE, noise).eta
    np.testing.assert_allclose(together, alone.mean() / num_samples, rtol=1e-4)


def test_training_lowers_the_variance():
    """Descending the exact signal on E[b] from t = .5, eta = 0 beats the plain score tenfold."""
    problem = toy(0.0)._replace(f=lambda params, b: b + 1.0)
    breaks = (1 - expit(0.3),)
    u, weights = nodes(*breaks)
    state = rebar(eta=0.0).init(None, None)
    signal = jax.jit(lambda state: training_signal(rebar(), problem, state, u))
    start = moments(rebar(), problem, state, breaks)[1]
    for _ in range(150):
        grads = signal(state)
        state = jax.tree.map(lambda s, g: s - 0.5 * (weights @ g), state, grads)
    assert moments(rebar(), problem, state, breaks)[1] < 0.1 * start


def test_what_it_starts_from_has_no_weak_type():
    """Which the first update of the state would change, and so compile twice."""
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(rebar().init(None, None)))


def test_a_control_variate_that_is_not_put_back_is_rejected(key):
    """c taken out of the score term and its slope forgotten: the bias is E[c dlog q]."""
    estimator = relaxed_control(
        1,
        name="broken",
        init=lambda key, q, context=None: (),
        control=lambda state, f, latent, z, context: f(latent.soften(jax.lax.stop_gradient(z))),
        evaluations_per_sample=2,
    )
    with rejected():
        assert_unbiased(draws(estimator, coupled, key, NUM_DRAWS), coupled.gradient())


def test_the_square_of_the_number_of_samples_may_exceed_an_int32():
    estimator = rebar(50_000)
    apply = lambda key: estimator.apply(STATE, key, jnp.square, toy(0.45).q(0.3))  # noqa: E731
    assert jax.eval_shape(apply, jax.random.key(0))[0].shape == ()

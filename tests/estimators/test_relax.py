"""RELAX with and without the relaxed f: false-alarm rate 1e-6 per law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from problems import BERNOULLI, ONE_HOT, bernoulli_inside, by_name, coupled, draws, toy
from quadrature import gradients_at, moments, nodes, with_uniform
from scipy.special import expit

from jaxgen.estimators import RebarState, RelaxState, rebar, relax, relax_black_box
from jaxgen.estimators.control_variates.relaxed_control import relaxed_control

NUM_DRAWS = 100_000
HIDDEN = 5


def network_init(key, z, context):
    first, second = jax.random.split(key)
    return {
        "hidden": 0.5 * jax.random.normal(first, (z.size, HIDDEN)),
        "bias": jnp.zeros(HIDDEN),
        "out": 0.2 * jax.random.normal(second, (HIDDEN,)),
        "mean": jnp.zeros(()),
    }


def network_apply(params, z, context):
    return params["out"] @ jnp.tanh(z.ravel() @ params["hidden"] + params["bias"]) + params["mean"]


WITH_F = relax(network_init=network_init, network_apply=network_apply, temperature=0.7, eta=0.8)
BLACK_BOX = relax_black_box(network_init=network_init, network_apply=network_apply)
QUADRATURE_TOY = toy(0.45)
BREAKS = (1 - expit(0.3),)


def state_of(estimator, problem):
    return estimator.init(jax.random.key(7), problem.q(problem.params), None)


@pytest.mark.parametrize("problem", BERNOULLI + ONE_HOT, ids=by_name)
@pytest.mark.parametrize("estimator", [WITH_F, BLACK_BOX], ids=by_name)
def test_unbiased(estimator, problem, key):
    grads = draws(estimator, problem, key, NUM_DRAWS, state_of(estimator, problem))
    assert_unbiased(grads, problem.gradient())
    if problem is bernoulli_inside:
        with rejected():
            assert_unbiased(1.02 * grads, problem.gradient())


def test_black_box_asks_no_slope_of_f(key):
    """f is a step of the bits, NaN between them."""
    problem = coupled._replace(
        f=lambda params, b: jnp.where(jnp.all(b * (1 - b) == 0), jnp.sum(b) > 3, jnp.nan) * 1.0,
        exact=None,
    )
    grads = draws(BLACK_BOX, problem, key, 100, state_of(BLACK_BOX, problem))
    assert np.all(np.isfinite(grads))


def test_a_network_of_zeros_is_rebar():
    u = np.random.default_rng(0).uniform(size=(64, 8))
    relaxed = RebarState(log_temperature=jnp.log(0.7), eta=jnp.asarray(0.8))
    network = jax.tree.map(jnp.zeros_like, state_of(BLACK_BOX, coupled))
    ours = gradients_at(u, WITH_F, coupled, RelaxState(relaxed=relaxed, network=network))
    np.testing.assert_allclose(ours, gradients_at(u, rebar(), coupled, relaxed), atol=1e-6)


def test_a_network_may_look_at_the_context(key):
    """The control c(z) = context . z is unbiased whatever the context, and changes the gradient."""
    estimator = relax_black_box(
        network_init=lambda key, z, context: jnp.ones(()),
        network_apply=lambda scale, z, context: scale * (context @ z),
    )
    state, context = jnp.ones(()), jnp.linspace(-1.0, 1.0, 8)
    keys = jax.random.split(key)
    grads = draws(estimator, coupled, keys[0], NUM_DRAWS, state, context)
    assert_unbiased(grads, coupled.gradient())
    plain = draws(estimator, coupled, keys[1], NUM_DRAWS, state, 0 * context)
    assert grads.var(axis=0).sum() > 2 * plain.var(axis=0).sum()


def training_signal(estimator, problem, state, u):
    """[nodes] pytree: the gradient of `control_loss` in the state at each uniform."""

    def one(u):
        def control_loss(state):
            f = lambda z: problem.f(problem.params, z)  # noqa: E731
            q = problem.q(problem.params)
            return estimator.apply(state, jax.random.key(0), f, q)[1].control_loss

        return with_uniform(u, lambda: jax.grad(control_loss)(state))

    return jax.jit(jax.vmap(one))(jnp.asarray(u))


@pytest.mark.parametrize("estimator", [WITH_F, BLACK_BOX], ids=by_name)
def test_the_state_gets_the_gradient_of_the_variance(estimator, x64):
    """Along a random direction in the state, against central differences of the exact variance."""
    state, step = state_of(estimator, QUADRATURE_TOY), 1e-4
    flat, unravel = jax.flatten_util.ravel_pytree(state)
    direction = jnp.asarray(np.random.default_rng(3).normal(size=flat.shape))
    u, weights = nodes(*BREAKS)
    signals = jax.vmap(lambda s: jax.flatten_util.ravel_pytree(s)[0])(
        training_signal(estimator, QUADRATURE_TOY, state, u)
    )
    low, high = (
        moments(estimator, QUADRATURE_TOY, unravel(flat + h * direction), BREAKS)[1].sum()
        for h in (-step, step)
    )
    np.testing.assert_allclose(weights @ signals @ direction, (high - low) / (2 * step), rtol=1e-4)


@pytest.mark.parametrize("estimator", [WITH_F, BLACK_BOX], ids=by_name)
def test_training_lowers_the_variance_below_the_plain_score(estimator):
    """On the toy, by 400 steps down the exact signal; the mean stays where it was."""
    state = state_of(estimator, QUADRATURE_TOY)
    u, weights = nodes(*BREAKS)
    weights = jnp.asarray(weights, jnp.float32)

    @jax.jit
    def step(state):
        signal = training_signal(estimator, QUADRATURE_TOY, state, u)
        return jax.tree.map(lambda s, g: s - 0.5 * jnp.tensordot(weights, g, 1), state, signal)

    for _ in range(400):
        state = step(state)
    mean, variance = moments(estimator, QUADRATURE_TOY, state, BREAKS)
    np.testing.assert_allclose(mean, QUADRATURE_TOY.gradient(), rtol=1e-3)
    p = expit(0.3)
    plain = p * (1 - p) * (0.55**2 * (1 - p) + 0.45**2 * p) ** 2  # Var of f(b) (b - p)
    assert variance < 0.2 * plain


def test_a_control_that_depends_on_b_alone_is_rejected(key):
    """c(harden(z)): its slope in z is zero, so what it takes out is never put back."""
    broken = relaxed_control(
        1,
        name="broken",
        init=lambda key, q, context=None: (),
        control=lambda state, f, latent, z, context: 0.5 * f(latent.harden(z)),
        evaluations_per_sample=2,
    )
    with rejected():
        assert_unbiased(draws(broken, coupled, key, NUM_DRAWS), coupled.gradient())

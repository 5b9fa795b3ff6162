"""The joint control variate: its mean over data and draws, and what is left of both noises."""

import dataclasses

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from laws import assert_unbiased, rejected

from jaxgen.certify import normal_quadrature
from jaxgen.estimators import JointState, joint, pathwise, taylor
from jaxgen.train import estimator_step, init_estimator_state

COUNT = 30
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(COUNT, 2)), jnp.float32)
Y = jnp.asarray(RNG.random(COUNT) < 0.6, jnp.float32)
PARAMS = {"mean": jnp.array([0.4, -0.3]), "scale": jnp.array([0.3, 0.5])}
PRIOR = distrax.MultivariateNormalDiag(jnp.zeros(2), jnp.ones(2))
ESTIMATOR = joint(2, num_data=COUNT)
ANYTHING = JointState(  # of two thirds of the data: the others were never seen
    jnp.asarray(5 + 3 * RNG.normal(size=(COUNT, 2)), jnp.float32).at[::3].set(0.0),
    jnp.asarray(3 * RNG.normal(size=(COUNT, 2, 2)), jnp.float32).at[::3].set(0.0),
)


def posterior(params):
    return distrax.Independent(distrax.Normal(params["mean"], params["scale"]), 1)


def objective(n, q):
    """Logistic regression's log p(y_n | w)^N p(w) / q(w): the mean over n is the ELBO."""

    def f(w, q=q):
        sign = 2 * Y[n] - 1
        return COUNT * jax.nn.log_sigmoid(sign * (X[n] @ w)) + PRIOR.log_prob(w) - q.log_prob(w)

    return f


def gradients(estimator, state, keys, indices, params=PARAMS):
    """[draws, 4], of a datapoint each, and the estimates."""

    def one(key, n):
        def surrogate(params):
            q = posterior(params)
            return estimator.apply(state, key, objective(n, q), q, n)

        gradient, estimate = jax.grad(surrogate, has_aux=True)(params)
        return ravel_pytree(gradient)[0], estimate

    return jax.jit(jax.vmap(one))(keys, indices)


def seen(key, params=PARAMS):
    """The state once every datapoint was seen at `params`."""
    state = ESTIMATOR.init(key, posterior(PARAMS))
    keys = jax.random.split(key, COUNT)
    return ESTIMATOR.update(state, gradients(ESTIMATOR, state, keys, jnp.arange(COUNT), params)[1])


def exact():
    """By quadrature in both coordinates."""
    noise, probs = normal_quadrature(24, 2)

    def elbo(params):
        q = posterior(params)
        z = params["mean"] + params["scale"] * jnp.asarray(noise, jnp.float32)

        def of_datum(n):
            f = objective(n, q)
            return jnp.asarray(probs, jnp.float32) @ jax.vmap(f)(z)

        return jnp.mean(jax.vmap(of_datum)(jnp.arange(COUNT)))

    return ravel_pytree(jax.jit(jax.grad(elbo))(PARAMS))[0]


def draws(estimator, state, key, count=20_000):
    key_data, key = jax.random.split(key)
    indices = jax.random.randint(key_data, (count,), 0, COUNT)
    return gradients(estimator, state, jax.random.split(key, count), indices)[0]


def test_unbiased_whatever_was_seen_and_not_if_the_mean_of_all_is_another(key):
    truth, key_seen, *keys = exact(), *jax.random.split(key, 4)
    elsewhere = {"mean": PARAMS["mean"] + 1.0, "scale": PARAMS["scale"]}
    assert_unbiased(draws(ESTIMATOR, seen(key_seen, elsewhere), keys[0]), truth)
    assert_unbiased(draws(ESTIMATOR, ANYTHING, keys[1]), truth)

    def of_the_first_half(state, key, f, q, n):  # t_n of half of the data alone
        return ESTIMATOR.apply(state, key, f, q, n // 2)

    twin = dataclasses.replace(ESTIMATOR, apply=of_the_first_half)
    with rejected():
        assert_unbiased(draws(twin, ANYTHING, keys[2]), truth)


def test_less_noise_than_without_the_data_and_than_the_plain_path(key):
    key_seen, *keys = jax.random.split(key, 4)
    moved = {"mean": PARAMS["mean"] + 0.1, "scale": PARAMS["scale"]}  # a few steps ago
    ours, sampling_only, plain = (
        float(np.var(draws(estimator, state, k), axis=0).sum())
        for estimator, state, k in zip(
            (ESTIMATOR, taylor(2), pathwise(2)), (seen(key_seen, moved), (), ()), keys, strict=True
        )
    )
    assert sampling_only < plain
    assert ours < 0.05 * sampling_only


def gaussian(n, z):
    return -jnp.sum((z - X[n]) ** 2 * (1 + Y[n])) + jnp.prod(z) * X[n, 0]


def test_of_quadratics_no_noise_is_left_of_those_that_were_seen_before(key):
    key_state, key_seen, key = jax.random.split(key, 3)

    def one(params, state, key, n):
        q = posterior(params)
        return ESTIMATOR.apply(state, key, lambda z: gaussian(n, z), q, n)

    @jax.jit
    def found(key_state, key_seen, key):
        every = jax.vmap(one, (None, None, 0, 0))
        state = ESTIMATOR.init(key_state, posterior(PARAMS))
        elsewhere = jax.tree.map(lambda x: x + 0.5, PARAMS)
        data = jnp.arange(COUNT)
        seen = every(elsewhere, state, jax.random.split(key_seen, COUNT), data)[1]
        state = ESTIMATOR.update(state, seen)
        grad = jax.vmap(jax.value_and_grad(lambda *of: one(*of)[0]), (None, None, 0, 0))
        return grad(PARAMS, state, jax.random.split(key, COUNT), data)

    def exact(params):
        second = jnp.diag(params["scale"] ** 2) + jnp.outer(params["mean"], params["mean"])
        weights = 1 + Y[:, None]
        squares = jnp.diag(second) - 2 * params["mean"] * X + X**2
        return jnp.mean(jnp.sum(-weights * squares, 1) + X[:, 0] * second[0, 1])

    of_q, truth = jax.value_and_grad(exact)(PARAMS)
    values, grads = found(key_state, key_seen, key)
    for name, each in grads.items():
        expected = np.broadcast_to(truth[name], each.shape)
        np.testing.assert_allclose(each, expected, rtol=1e-4, atol=1e-4)
    at_mean = jax.vmap(gaussian, (0, None))(jnp.arange(COUNT), PARAMS["mean"])
    expected = of_q + at_mean - jnp.mean(at_mean)  # the value keeps the noise of f_n at q's mean
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-4)


def test_a_step_remembers_its_batch_and_what_is_not_finite_is_left_out(key):
    def loss(params, held, key, datum):
        n, weight = datum
        f = lambda z: weight * gaussian(n, z)  # noqa: E731
        value, estimate = ESTIMATOR.apply(held, key, f, posterior(params), n)
        return -value, estimate, {}

    start = ESTIMATOR.init(key, posterior(PARAMS))
    sgd = optax.sgd(0.0)
    state = init_estimator_state(PARAMS, sgd, start)
    update = jax.jit(estimator_step(loss, ESTIMATOR, sgd))
    key, key_broken = jax.random.split(jax.random.clone(key))
    state, info = update(state, key, (jnp.array([0, 4, 4, 2]), jnp.ones(4)))
    assert bool(info["all_finite"])
    broken = jnp.array([2, 1, 3, 5]), jnp.array([jnp.inf, 1.0, jnp.inf, 1.0])
    state, info = update(state, key_broken, broken)
    assert not bool(info["all_finite"])
    remembered = np.flatnonzero(np.any(np.asarray(state.estimator.curvatures), axis=(1, 2)))
    np.testing.assert_array_equal(remembered, [0, 1, 2, 4, 5])
    for n in (2, 4):
        hessian = -2 * (1 + Y[n]) * jnp.eye(2) + X[n, 0] * jnp.array([[0.0, 1.0], [1.0, 0.0]])
        np.testing.assert_allclose(state.estimator.curvatures[n], hessian, rtol=1e-4, atol=1e-5)


def test_what_overflows_is_not_remembered(key):
    """Its curvature is, its slope at zero is not."""
    q = distrax.Normal(1e20, 1.0)
    alone = joint(num_data=3)
    state = alone.init(key, q)
    f = lambda z: 1e20 * (z - 1e20) ** 2  # noqa: E731
    _, estimate = alone.apply(state, jax.random.clone(key), f, q, 1)
    assert not bool(estimate.all_finite)
    found = alone.update(state, jax.tree.map(lambda x: jnp.asarray(x)[None], estimate))
    np.testing.assert_array_equal(found.slopes, state.slopes)
    np.testing.assert_array_equal(found.curvatures, state.curvatures)


OUTSIDE = [None, jnp.ones(2), jnp.ones(2, int), 1.0, True, "one", (X, 1), COUNT, -1]


@pytest.mark.parametrize("context", OUTSIDE)
def test_the_context_is_the_index_of_the_datapoint(context, key):
    q = posterior(PARAMS)
    state = ESTIMATOR.init(key, q)
    with pytest.raises(ValueError, match=r"(?s)context: got .*, expected the index of a datapoint"):
        ESTIMATOR.apply(state, jax.random.clone(key), jnp.sum, q, context)


@pytest.mark.parametrize("index", [COUNT, -COUNT - 1])
def test_a_traced_index_of_no_datapoint_takes_no_others_control(index, key):
    value, estimate = jax.jit(ESTIMATOR.apply, static_argnums=(2,))(
        ANYTHING, key, jnp.sum, posterior(PARAMS), index
    )
    assert np.isnan(value)
    assert not bool(estimate.all_finite)


def test_an_index_in_bytes_of_more_data_than_a_byte_counts(key):
    q = posterior(PARAMS)
    many = joint(num_data=300)
    broken = lambda z: jnp.nan * jnp.sum(z)  # noqa: E731
    index = many.apply(many.init(key, q), jax.random.clone(key), broken, q, np.uint8(2))[
        1
    ].statistics[0]
    assert int(index) == 300  # past the end, to be dropped


@pytest.mark.parametrize("other", [(COUNT + 1, 2), (COUNT, 1)])
def test_a_state_of_other_data_or_latents_is_refused(other, key):
    count, size = other
    state = joint(num_data=count).init(key, distrax.MultivariateNormalDiag(jnp.zeros(size)))
    expected = rf"state.slopes: got shape \({count}, {size}\), expected \({COUNT}, 2\)"
    with pytest.raises(ValueError, match=expected):
        ESTIMATOR.apply(state, jax.random.clone(key), jnp.sum, posterior(PARAMS), 0)

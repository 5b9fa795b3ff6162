"""Models of sequences: what they sample, what they score, their amortized proposals."""

import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from kalman import example
from laws import assert_unbiased
from scipy import stats

from jaxgen.models import (
    importance_step,
    linear_gaussian,
    sample_sequence,
    sample_sequences,
    stochastic_volatility,
    variational_rnn,
)
from jaxgen.nets import MLP

TIME = 4


def log_joint(model, params, zs, xs):
    """log p(x_1..T, z_1..T) by the model's own functions, one step after another."""
    state, total = model.start(params), 0.0
    for z, x in zip(jnp.asarray(zs), jnp.asarray(xs), strict=True):
        total += model.prior(params, state).log_prob(z)
        total += model.decode(params, state, z).log_prob(x)
        state = model.update(params, state, z, x)
    return total


@pytest.fixture
def sequence():
    rng = np.random.default_rng(0)
    return rng.normal(size=(TIME, 2)), rng.normal(size=(TIME, 3))


@pytest.mark.usefixtures("x64")
def test_linear_gaussian_is_the_joint_gaussian_that_scipy_scores(sequence):
    zs, xs = sequence
    rng = np.random.default_rng(1)
    model = linear_gaussian(latent_size=2, x_size=3)
    params = model.init(jax.random.key(0))
    params = jax.tree.map(lambda leaf: leaf + 0.3 * rng.normal(size=leaf.shape), params)
    p = jax.tree.map(np.asarray, params)
    expected = stats.norm(p["initial_mean"], np.exp(p["initial_log_scale"])).logpdf(zs[0]).sum()
    for t in range(1, TIME):
        mean, scale = p["transition"] @ zs[t - 1], np.exp(p["transition_log_scale"])
        expected += stats.norm(mean, scale).logpdf(zs[t]).sum()
    noise = stats.norm(zs @ p["emission"].T, np.exp(p["emission_log_scale"]))
    expected += noise.logpdf(xs).sum()
    np.testing.assert_allclose(log_joint(model, params, zs, xs), expected, rtol=1e-10)


@pytest.mark.usefixtures("x64")
def test_stochastic_volatility_is_what_scipy_scores(sequence):
    zs, xs = sequence[0], sequence[1][:, :2]
    model = stochastic_volatility(2)
    params = model.init(jax.random.key(0)) | {
        "mean": jnp.array([-0.5, 0.4]),
        "raw_persistence": jnp.arctanh(jnp.array([0.95, -0.3])),
        "log_scale": jnp.log(jnp.array([0.2, 0.7])),
    }
    mean, persistence, scale = np.array([-0.5, 0.4]), np.array([0.95, -0.3]), np.array([0.2, 0.7])
    expected = stats.norm(mean, scale / np.sqrt(1 - persistence**2)).logpdf(zs[0]).sum()
    for t in range(1, TIME):
        expected += stats.norm(mean + persistence * (zs[t - 1] - mean), scale).logpdf(zs[t]).sum()
    expected += stats.norm(0.0, np.exp(zs / 2)).logpdf(xs).sum()
    np.testing.assert_allclose(log_joint(model, params, zs, xs), expected, rtol=1e-10)


@pytest.mark.usefixtures("x64")
def test_the_linear_gaussian_proposal_holds_the_exact_posterior_of_a_step():
    model = linear_gaussian(latent_size=1, x_size=2)
    emission, scale = np.array([[0.8], [-1.3]]), np.array([0.6, 0.9])
    precision = np.sum(emission[:, 0] ** 2 / scale**2)
    params = model.init(jax.random.key(0)) | {
        "initial_mean": jnp.array([0.4]),
        "emission": jnp.asarray(emission),
        "emission_log_scale": jnp.log(scale),
        "proposal": {
            "weights": jnp.asarray((emission[:, 0] / scale**2 / precision)[None]),
            "bias": jnp.zeros(1),
            "log_precision": jnp.log(jnp.array([precision])),
        },
    }
    x, state = jnp.array([1.1, -0.7]), model.start(params)
    q = model.encode(params, state, x)
    cov = emission @ emission.T + np.diag(scale**2)
    exact = stats.multivariate_normal(emission[:, 0] * 0.4, cov).logpdf(x)
    for z in (jnp.array([-1.0]), jnp.array([2.0])):
        log_weight = model.prior(params, state).log_prob(z)
        log_weight += model.decode(params, state, z).log_prob(x) - q.log_prob(z)
        np.testing.assert_allclose(log_weight, exact, rtol=1e-10)


def test_a_return_of_zero_has_a_finite_proposal():
    model = stochastic_volatility(1)
    params = model.init(jax.random.key(0))
    q = model.encode(params, model.start(params), jnp.zeros(1))
    assert np.isfinite(q.sample(seed=jax.random.key(0))).all()


def recurrent(latent_size=2, **changes):
    parts = {
        "cell": nn.GRUCell(5),
        "prior": MLP((4,), (2, 2)),
        "encoder": MLP((4,), (2, 2)),
        "decoder": MLP((4,), (3,)),
    } | changes
    return variational_rnn(
        *parts.values(),
        lambda logits: distrax.Independent(distrax.Bernoulli(logits), 1),
        latent_size=latent_size,
        x_size=3,
    )


def test_the_recurrent_prior_depends_on_all_of_the_past(sequence):
    zs, xs = sequence
    model = recurrent()
    params = model.init(jax.random.key(0))

    def last_prior_mean(zs, xs):
        state = model.start(params)
        for z, x in zip(zs, xs, strict=True):
            state = model.update(params, state, z, x)
        return jnp.sum(model.prior(params, state).mean())

    for gradient in jax.jit(jax.grad(last_prior_mean, (0, 1)))(jnp.asarray(zs), jnp.asarray(xs)):
        assert np.all(np.abs(gradient) > 0)


def test_the_recurrent_likelihood_and_proposal_read_their_arguments():
    model = recurrent()
    params = model.init(jax.random.key(0))
    h, z, x = jnp.ones(5), jnp.ones(2), jnp.ones(3)
    decode = jax.jacobian(lambda h, z: model.decode(params, h, z).mean(), (0, 1))(h, z)
    encode = jax.jacobian(lambda h, x: model.encode(params, h, x).mean(), (0, 1))(h, x)
    assert all(np.any(np.abs(j) > 0, axis=0).all() for j in (*decode, *encode))
    assert model.start(params).shape == (5,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: linear_gaussian(0, 2), "latent_size: got 0, expected an integer >= 1"),
        (lambda: linear_gaussian(2, 0), "x_size: got 0, expected an integer >= 1"),
        (lambda: stochastic_volatility(0), "size: got 0, expected an integer >= 1"),
        (lambda: recurrent(0), "latent_size: got 0, expected an integer >= 1"),
        (
            lambda: recurrent(3).init(jax.random.key(0)),
            r"prior: got an output of shape \(2, 2\), expected \(2, 3\)",
        ),
        (
            lambda: recurrent(encoder=MLP((4,), (4,))).init(jax.random.key(0)),
            r"encoder: got an output of shape \(4,\), expected \(2, 2\)",
        ),
    ],
)
def test_bad_sizes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_samples_have_the_moments_of_the_joint_gaussian():
    kalman = example()
    model = linear_gaussian(latent_size=2, x_size=2)
    params = model.init(jax.random.key(0)) | {
        "initial_mean": jnp.asarray(kalman.mean),
        "initial_log_scale": jnp.asarray(0.5 * np.log(np.diag(kalman.cov))),
        "transition": jnp.asarray(kalman.transition),
        "transition_log_scale": jnp.asarray(0.5 * np.log(np.diag(kalman.transition_cov))),
        "emission": jnp.asarray(kalman.emission),
        "emission_log_scale": jnp.asarray(0.5 * np.log(np.diag(kalman.emission_cov))),
    }
    keys = jax.random.split(jax.random.key(1), 20_000)
    xs, zs = jax.jit(jax.vmap(lambda key: sample_sequence(key, model, params, TIME)))(keys)
    assert zs.shape == (20_000, TIME, 2)
    flat = np.asarray(xs, np.float64).reshape(len(xs), -1)
    mean, cov = kalman.joint(TIME)
    assert_unbiased(flat, mean)
    centered = flat - mean
    assert_unbiased(centered[:, :, None] * centered[:, None, :], cov)
    with pytest.raises(ValueError, match="time: got 0, expected an integer >= 1"):
        sample_sequence(jax.random.key(0), model, params, 0)


def test_lengths_are_uniform_and_what_lies_beyond_is_zero():
    """4,000 lengths at a false-alarm rate of 1e-6."""
    model = linear_gaussian(latent_size=2, x_size=3)
    params = model.init(jax.random.key(0))
    draw = jax.jit(lambda key: sample_sequences(key, model, params, 4000, 2, 5))
    xs, mask, zs = map(np.asarray, draw(jax.random.key(1)))
    assert xs.shape == (4000, 5, 3)
    assert zs.shape == (4000, 5, 2)
    lengths = mask.sum(axis=1)
    np.testing.assert_array_equal(mask, np.arange(5) < lengths[:, None])
    assert np.all((xs != 0).all(axis=2) == mask)
    assert np.all((zs != 0).all(axis=2) == mask)
    counts = [np.sum(lengths == length) for length in (2, 3, 4, 5)]
    assert stats.chisquare(counts).pvalue > 1e-6
    for sizes, message in (
        ((0, 2, 5), "num_sequences: got 0, expected an integer >= 1"),
        ((3, 0, 5), "shortest: got 0, expected an integer >= 1"),
        ((3, 2, 1), "longest: got 1, expected an integer >= 2"),
    ):
        with pytest.raises(ValueError, match=message):
            sample_sequences(jax.random.key(0), model, params, *sizes)


@pytest.mark.usefixtures("x64")
def test_the_step_of_a_particle_weighs_the_joint_by_the_proposal(sequence):
    _, xs = sequence
    model = linear_gaussian(latent_size=2, x_size=3)
    params = model.init(jax.random.key(0))
    step, state, total = importance_step(model, params), model.start(params), 0.0
    zs, log_q = [], 0.0
    for t, x in enumerate(jnp.asarray(xs)):
        before = state
        state, z, log_weight = step(jax.random.key(t), state, x)
        total += log_weight
        log_q += model.encode(params, before, x).log_prob(z)
        zs.append(z)
    np.testing.assert_allclose(total, log_joint(model, params, zs, xs) - log_q, rtol=1e-10)

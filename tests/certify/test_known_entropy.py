"""Truth about images: log p of every draw, log p(x) by quadrature, and what it does to claims."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from jaxgen.bounds import IWAE
from jaxgen.certify import (
    frozen_vae,
    kl_from_draws,
    log_prob_by_quadrature,
    pack,
    simulate,
    teacher,
)
from jaxgen.certify.frozen import FILE, SHA256, frozen_params, unpack
from jaxgen.distributions import diagonal_normal
from jaxgen.models import LIKELIHOODS, gaussian_vae, observe
from jaxgen.nets import MLP
from jaxgen.numerics import effective_sample_size
from jaxgen.objectives import log_importance_weights

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.ones(6), 2)
KL = float(P @ np.log(P / Q))


def draws(count, times=()):
    return np.random.default_rng(1).choice(6, (*times, count), p=P)


def test_the_mean_log_ratio_is_the_kl():
    x = draws(4000)
    found = kl_from_draws(jnp.log(P[x]), jnp.log(Q[x]))
    assert abs(found.value - KL) < 5 * found.stderr
    assert abs(1.2 * KL - found.value) > 5 * found.stderr  # a fifth too much would be seen
    assert found.lower < found.value < found.upper
    assert found.p_value == 1
    assert found.all_finite


def test_the_interval_holds_the_kl_as_often_as_it_says():
    x = draws(200, (2000,))
    found = jax.vmap(kl_from_draws)(jnp.log(P)[x], jnp.log(Q)[x])
    hits = np.sum((found.lower < KL) & (found.upper > KL))
    # False alarm 1e-6, of either side.
    assert stats.binom.ppf(5e-7, 2000, 0.95) < hits < stats.binom.ppf(1 - 5e-7, 2000, 0.95) + 10


@pytest.mark.parametrize("q", [Q, P, np.full(6, 1 / 6)])
def test_a_distribution_is_not_accused(q):
    x = draws(10, (4000,))
    p_values = jax.vmap(kl_from_draws)(jnp.log(P)[x], jnp.log(q)[x]).p_value
    # At most a share of a by Markov's inequality; false alarm 1e-6.
    for level in (0.05, 0.3):
        assert np.sum(p_values <= level) <= stats.binom.ppf(1 - 1e-6, 4000, level)


def test_what_sums_to_more_than_one_is_exposed():
    x = draws(400)
    found = kl_from_draws(jnp.log(P[x]), jnp.log(1.05 * P[x]))  # by 400 log 1.05 = 19.5 nats
    assert found.upper < 0
    assert found.p_value < 1e-8


def test_what_is_not_finite_is_told():
    found = kl_from_draws(jnp.zeros(3), jnp.array([0.0, -jnp.inf, 0.0]))
    assert found.value == jnp.inf
    assert not found.all_finite


@pytest.mark.parametrize(("log_p", "log_q"), [((3,), (2,)), ((1,), (1,)), ((3, 1), (3, 1))])
def test_bad_draws_are_named(log_p, log_q):
    with pytest.raises((ValueError, TypeError), match="log_"):
        kl_from_draws(jnp.zeros(log_p), jnp.zeros(log_q))


def small_vae():
    bernoulli = LIKELIHOODS["bernoulli"]
    decoder = MLP((3,), (2, 2, 1, 1), jnp.tanh)
    model = gaussian_vae(
        MLP((3,), (2, 2)), decoder, bernoulli.distribution, latent_size=2, x_shape=(2, 2, 1)
    )
    params = model.init(jax.random.key(3))
    params["decoder"] = jax.tree.map(lambda a: 3 * a, params["decoder"])
    return model, params


def test_quadrature_agrees_with_scipy_and_sums_to_one():
    model, params = small_vae()
    every = ((np.arange(16)[:, None] >> np.arange(4)) & 1).reshape(16, 2, 2, 1).astype(np.float32)
    found = np.asarray(log_prob_by_quadrature(model, params, jnp.asarray(every), points=120))
    assert np.exp(found).sum() == pytest.approx(1, abs=1e-5)
    layers = jax.tree.map(lambda a: np.asarray(a, float), params["decoder"]["params"])

    def joint(a, b, x):
        z = np.array([a, b])
        h = np.tanh(z @ layers["Dense_0"]["kernel"] + layers["Dense_0"]["bias"])
        logits = h @ layers["Dense_1"]["kernel"] + layers["output_bias"].reshape(-1)
        return np.prod(1 / (1 + np.exp(-(2 * x - 1) * logits))) * np.exp(-z @ z / 2) / (2 * np.pi)

    for i in (0, 6):
        exact, _ = integrate.dblquad(joint, -6, 6, -6, 6, args=(every[i].reshape(-1),), epsabs=1e-6)
        assert found[i] == pytest.approx(np.log(exact), abs=1e-4)


def test_another_number_of_latents_is_named():
    bernoulli = LIKELIHOODS["bernoulli"]
    model = gaussian_vae(
        MLP((), (2, 3)), MLP((), (2, 2, 1, 1)), bernoulli.distribution, latent_size=3,
        x_shape=(2, 2, 1),
    )  # fmt: skip
    params = model.init(jax.random.key(0))
    with pytest.raises(ValueError, match=r"model: got latents of shape \(3,\), expected \(2,\)"):
        log_prob_by_quadrature(model, params, jnp.zeros((1, 2, 2, 1)))


@pytest.fixture(scope="module")
def drawn():
    return {t: teacher(t).draw(jax.random.key(0), 150) for t in (1.0, 1.4)}


@pytest.fixture(scope="module")
def logits(drawn):
    """Of every pixel of every draw, under the teacher, by its density."""
    p = teacher()

    def one(x):
        return p.density.distribution(p.params, ()).conditionals(x).distribution.logits

    of = jax.jit(lambda xs: jax.lax.map(one, xs, batch_size=50))
    return {t: np.asarray(of(draws.x), float) for t, draws in drawn.items()}


def log_prob(logits, x, temperature=1.0):
    signed = (2 * np.asarray(x, float) - 1) * logits / temperature
    return -np.logaddexp(0, -signed)


@pytest.mark.parametrize("temperature", [1.0, 1.4])
def test_what_is_stored_of_a_draw_is_its_log_prob_at_its_temperature(drawn, logits, temperature):
    x, stored = drawn[temperature]
    assert set(np.unique(x)) == {0.0, 1.0}
    exact = log_prob(logits[temperature], x, temperature).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(stored, exact, atol=2e-3)


def surprise(drawn, logits, drawn_at, scored_at):
    """How many standard errors -log p of the draws is off from what the conditionals expect.

    Pixel after pixel -log p(x_i | x before i) less its mean is a martingale's step. False alarm
    6e-7, at five.
    """
    logits, x = logits[drawn_at], drawn[drawn_at].x
    p = 1 / (1 + np.exp(-logits / scored_at))
    ones, zeros = (log_prob(logits, of, scored_at) for of in (np.ones(1), np.zeros(1)))
    excess = (log_prob(logits, x, scored_at) - p * ones - (1 - p) * zeros).sum(axis=(1, 2, 3))
    return abs(excess.mean()) / (excess.std(ddof=1) / np.sqrt(len(excess)))


def test_the_draws_are_of_the_distribution_and_not_of_another(drawn, logits):
    assert surprise(drawn, logits, 1.0, 1.0) < 5
    assert surprise(drawn, logits, 1.4, 1.4) < 5
    assert surprise(drawn, logits, 1.4, 1.0) > 10
    assert surprise(drawn, logits, 1.0, 1.4) > 10


def test_the_entropy_and_the_distance_of_two_teachers_are_those_in_the_docs(drawn, logits):
    entropy = -np.asarray(drawn[1.0].log_prob, float)
    assert abs(entropy.mean() - 91) < 8  # 150 draws: a standard error of 1.4
    log_q = log_prob(logits[1.0], drawn[1.0].x, 1.4).sum(axis=(1, 2, 3))
    found = kl_from_draws(drawn[1.0].log_prob, jnp.asarray(log_q, jnp.float32))
    assert abs(found.value - 5.2) < 5 * found.stderr


def test_a_temperature_that_is_none_is_named():
    with pytest.raises(ValueError, match=r"temperature: got 0\.0, expected a positive"):
        teacher(0.0)


def test_the_file_is_small_and_a_damaged_one_is_refused():
    params = {name: frozen_params(name) for name in ("pixels", "latents")}
    data = pack(params)
    assert len(data) < 300_000
    arrays = unpack(data, hashlib.sha256(data).hexdigest())
    assert all(array.dtype == np.float16 for array in arrays.values())
    kernel = arrays["pixels/params/convolution/kernel"]
    np.testing.assert_array_equal(kernel, params["pixels"]["params"]["convolution"]["kernel"])
    with pytest.raises(ValueError, match=f"{FILE}: got sha256 .*, expected {SHA256}"):
        unpack(data[:-1] + b"x", SHA256)
    with pytest.raises(ValueError, match="name: got 'voxels'"):
        frozen_params("voxels")


def test_the_frozen_vae_s_quadrature_is_fine_enough_and_importance_sampling_agrees():
    model, params = frozen_vae()
    x = simulate(jax.random.key(0), model, params, 2).x
    exact = log_prob_by_quadrature(model, params, x, points=160, reach=4.0)
    finer = log_prob_by_quadrature(model, params, x, points=200, reach=4.0)
    np.testing.assert_allclose(exact, finer, atol=5e-3)

    @jax.jit
    def importance(key, x):
        at = observe(model, params, x)
        wide = diagonal_normal(at.q.mean(), jnp.log(2 * at.q.stddev()))
        log_weights = log_importance_weights(key, at.log_joint, wide, 1000)
        return IWAE(log_weights), effective_sample_size(log_weights)

    estimates, sizes = jax.vmap(importance)(jax.random.split(jax.random.key(1)), x)
    assert np.all(sizes > 50)
    assert np.all(np.abs(estimates - exact) < 6 / np.sqrt(sizes))

"""Truth about images: log p of every draw, log p(x) by quadrature, and what it does to claims."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from jaxgen.certify import kl_from_draws, log_prob_by_quadrature
from jaxgen.models import LIKELIHOODS, gaussian_vae
from jaxgen.nets import MLP

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
    with pytest.raises((ValueError, TypeError), match="log_q"):
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

    for i in (0, 6, 13):
        exact, _ = integrate.dblquad(joint, -6, 6, -6, 6, args=(every[i].reshape(-1),), epsabs=1e-8)
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

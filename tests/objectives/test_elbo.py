"""The ELBO against the linear-Gaussian model, where both terms are known by hand."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased, rejected
from linear_gaussian import example
from tensorflow_probability.substrates import jax as tfp

from jaxgen.bounds import ELBO, renyi
from jaxgen.estimators import (
    doubly_reparameterized,
    leave_one_out,
    over_sets,
    pathwise,
    score_function,
    sticking_the_landing,
    vimco,
)
from jaxgen.objectives import analytic_kl, elbo, entropy_elbo, monte_carlo_kl

MODEL, X = example()
MEAN, SCALE = jnp.array([0.3, -0.5]), jnp.array([0.7, 1.4])
DRAWS = 20_000


def terms(key, mean, scale, kl):
    q = distrax.Independent(distrax.Normal(mean, scale), 1)
    return elbo(key, lambda z: MODEL.log_likelihood(X, z), q, MODEL.prior, kl=kl)


def draws_of(function, seed=0):
    return jax.jit(jax.vmap(function))(jax.random.split(jax.random.key(seed), DRAWS))


@pytest.mark.parametrize("kl", [analytic_kl, monte_carlo_kl])
def test_both_terms_have_their_closed_forms_as_expectations(kl):
    reconstruction, rate = draws_of(lambda key: tuple(terms(key, MEAN, SCALE, kl)))
    expected = MODEL.elbo_terms(X, MEAN, SCALE)
    assert_unbiased(reconstruction, expected[0])
    assert_unbiased(rate, expected[1])


@pytest.mark.parametrize("kl", [analytic_kl, monte_carlo_kl])
def test_gradient_is_unbiased_in_mean_and_scale(kl):
    step = 1e-4

    def exact(mean, scale):
        reconstruction, rate = MODEL.elbo_terms(X, mean, scale)
        return reconstruction - rate

    mean, scale = np.asarray(MEAN, np.float64), np.asarray(SCALE, np.float64)
    truth = [
        [
            (exact(mean + step * e, scale) - exact(mean - step * e, scale)) / (2 * step)
            for e in np.eye(2)
        ],
        [
            (exact(mean, scale + step * e) - exact(mean, scale - step * e)) / (2 * step)
            for e in np.eye(2)
        ],
    ]
    gradient = jax.grad(lambda mean, scale, key: terms(key, mean, scale, kl).elbo, (0, 1))
    draws = jnp.stack(draws_of(lambda key: gradient(MEAN, SCALE, key)), axis=1)
    assert_unbiased(draws, truth)
    with rejected():
        assert_unbiased(1.1 * draws, truth)  # 20,000 draws see an error of 10%


def test_a_kl_with_a_wrong_factor_is_caught():
    def doubled(key, q, prior, estimator):
        return 2.0 * monte_carlo_kl(key, q, prior, estimator)

    expected = MODEL.elbo_terms(X, MEAN, SCALE)
    with rejected():
        assert_unbiased(draws_of(lambda key: terms(key, MEAN, SCALE, doubled).kl), expected[1])


def test_a_kl_summed_over_a_reused_key_is_caught():
    # The same noise for every datapoint is no set of independent draws: the mean stays off.
    keys = jnp.broadcast_to(jax.random.key(0), (DRAWS,))
    with jax.debug_key_reuse(False):
        draws = jax.vmap(lambda key: terms(key, MEAN, SCALE, monte_carlo_kl).elbo)(keys)
    reconstruction, rate = MODEL.elbo_terms(X, MEAN, SCALE)
    with rejected():
        assert_unbiased(draws, reconstruction - rate)


def test_exact_posterior_makes_the_monte_carlo_bound_exact_without_noise():
    model, x = example(latents=1, dims=3)
    mean, cov = model.posterior(x)
    q = distrax.Independent(
        distrax.Normal(jnp.asarray(mean, jnp.float32), jnp.sqrt(jnp.asarray(cov[0], jnp.float32))),
        1,
    )
    bounds = jax.vmap(
        lambda key: (
            elbo(key, lambda z: model.log_likelihood(x, z), q, model.prior, kl=monte_carlo_kl).elbo
        )
    )(jax.random.split(jax.random.key(0), 50))
    np.testing.assert_allclose(bounds, model.log_marginal(x), rtol=2e-5)


def test_a_batch_of_latents_is_no_posterior():
    q = distrax.Normal(MEAN, SCALE)  # two latents, not one vector of two
    with pytest.raises(ValueError, match=r"q: got a Normal of batch shape \(2,\), expected one"):
        elbo(jax.random.key(0), lambda z: MODEL.log_likelihood(X, z), q, MODEL.prior)


def test_a_batch_of_latents_has_no_one_entropy(key):
    with pytest.raises(ValueError, match=r"q: got a Normal of batch shape \(3,\), expected one"):
        entropy_elbo(key, jnp.sum, distrax.Normal(jnp.zeros(3), 1.0))


def test_a_posterior_of_tfps_is_accepted(key):
    q = tfp.distributions.MultivariateNormalDiag(jnp.zeros(3), jnp.ones(3))
    prior = tfp.distributions.MultivariateNormalDiag(jnp.ones(3), jnp.ones(3))
    np.testing.assert_allclose(elbo(key, jnp.sum, q, prior).kl, 1.5, rtol=1e-6)


def test_a_posterior_of_another_event_shape_is_refused():
    q = distrax.Independent(distrax.Normal(MEAN[:1], SCALE[:1]), 1)  # would broadcast against two
    with pytest.raises(ValueError, match=r"q: got a Independent of event shape \(1,\), expected"):
        elbo(jax.random.key(0), lambda z: jnp.sum(z), q, MODEL.prior, kl=monte_carlo_kl)


def test_estimators_of_a_multi_sample_bound_are_refused_by_name():
    q = distrax.Independent(distrax.Normal(MEAN, SCALE), 1)
    f = lambda z: MODEL.log_likelihood(X, z)  # noqa: E731
    for estimator, name in (
        (vimco(4), "vimco of the bound iwae"),
        (doubly_reparameterized(4), "doubly reparameterized of the bound iwae"),
        (pathwise(4, bound=renyi(0.5)), r"pathwise of the bound renyi\(0.5\)"),
        (over_sets(4, estimator=score_function(2)), "score function over sets of the bound iwae"),
    ):
        with pytest.raises(ValueError, match=f"estimator: got {name}, expected one of E_q"):
            elbo(jax.random.key(0), f, q, MODEL.prior, estimator=estimator)
        with pytest.raises(ValueError, match=f"estimator: got {name}"):
            entropy_elbo(jax.random.key(0), f, q, estimator=estimator)
    terms = elbo(
        jax.random.key(0), f, q, MODEL.prior, estimator=vimco(4, bound=ELBO)
    )  # the mean of f
    assert np.isfinite(terms.elbo)


@pytest.mark.parametrize(
    "estimator",
    [sticking_the_landing(), score_function(4, baseline=leave_one_out())],
    ids=["sticking the landing", "rloo"],
)
def test_with_log_q_held_there_is_no_noise_at_the_posterior_and_no_bias_elsewhere(estimator):
    model, x = example(latents=1, dims=3)
    mean, cov = (jnp.asarray(a, jnp.float32) for a in model.posterior(x))

    def gradient(key, shift, estimator):
        def bound(shift):
            q = distrax.Independent(distrax.Normal(mean + shift, jnp.sqrt(cov[0])), 1)
            f = lambda z: model.log_likelihood(x, z)  # noqa: E731
            return elbo(key, f, q, model.prior, kl=monte_carlo_kl, estimator=estimator).elbo

        return jax.grad(bound)(shift)

    keys = jax.random.split(jax.random.key(0), 2000)
    draws = jax.jit(jax.vmap(gradient, (0, None, None)), static_argnums=2)
    at_posterior = draws(keys, jnp.zeros(1), estimator)
    np.testing.assert_allclose(at_posterior, 0.0, atol=1e-4)
    assert np.std(draws(jax.random.clone(keys), jnp.zeros(1), pathwise())) > 0.1
    # KL(q || posterior) = shift²/2 cov.
    elsewhere = draws(jax.random.clone(keys), jnp.full(1, 0.3), estimator)
    assert_unbiased(elsewhere, -0.3 / cov[0])


def test_bound_is_below_the_log_likelihood():
    reconstruction, rate = MODEL.elbo_terms(X, MEAN, SCALE)
    assert reconstruction - rate < MODEL.log_marginal(X)


def test_estimators_sample_count_reaches_both_terms():
    q = distrax.Independent(distrax.Normal(MEAN, SCALE), 1)
    one, many = (
        jax.vmap(
            lambda key, n=n: (
                elbo(
                    key,
                    lambda z: MODEL.log_likelihood(X, z),
                    q,
                    MODEL.prior,
                    kl=monte_carlo_kl,
                    estimator=pathwise(n),
                ).elbo
            )
        )(jax.random.split(jax.random.key(0), 2000)).var()
        for n in (1, 10)
    )
    np.testing.assert_allclose(one / many, 10.0, rtol=0.25)

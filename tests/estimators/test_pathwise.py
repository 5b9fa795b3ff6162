"""Pathwise gradients and sticking the landing. False-alarm rate 1e-6 per test."""

import importlib
from unittest import mock

import chex
import distrax
import jax
import jax.numpy as jnp
import numpy as np
import problems
import pytest
from laws import assert_unbiased, rejected
from scipy import special
from tensorflow_probability.substrates import jax as tfp

from jaxgen.certify import exact_moments, normal_quadrature
from jaxgen.estimators import pathwise, sticking_the_landing

tfd = tfp.distributions
DRAWS = 2000


@pytest.mark.parametrize("problem", problems.GAUSSIAN, ids=problems.by_name)
def test_is_unbiased(problem, key):
    draws = problems.draws(pathwise(256), problem, key, DRAWS)
    assert_unbiased(draws, problem.gradient())
    with rejected():
        assert_unbiased(1.02 * draws, problem.gradient())


def test_a_forgotten_chain_rule_factor_is_rejected(key):
    # z = mean + exp(log_scale) noise, but the gradient handed on is the one in the scale.
    draws = problems.draws(pathwise(256), problems.quadratic, key, DRAWS)
    truth = problems.quadratic.gradient() * jnp.array([1.0, 1.0, 0.8, 1.3])
    with rejected():
        assert_unbiased(draws, truth)


def test_implicit_reparameterization_of_a_gamma(key):
    # E log z = digamma(a) - log(b); E z^2 = a (a + 1) / b^2
    problem = problems.Problem(
        "gamma",
        jnp.array([2.5, 1.5]),
        lambda p: distrax.Gamma(p[0], p[1]),
        lambda p, z: z**2 + jnp.log(z),
        None,
    )
    a, b = 2.5, 1.5
    truth = [(2 * a + 1) / b**2 + special.polygamma(1, a), -2 * a * (a + 1) / b**3 - 1 / b]
    assert_unbiased(problems.draws(pathwise(16), problem, key, DRAWS), truth)


def test_implicit_reparameterization_of_a_mixture(key):
    """E[z^2 + z] = sum_i w_i (m_i^2 + s_i^2 + m_i), in the weights too."""

    def moments(p):
        squares = p["mean"] ** 2 + jnp.exp(2 * p["log_scale"])
        return jnp.sum(jax.nn.softmax(p["logits"]) * (squares + p["mean"]))

    problem = problems.Problem(
        "mixture",
        {
            "log_scale": jnp.array([-0.2, 0.1]),
            "logits": jnp.array([0.3, -0.2]),
            "mean": jnp.array([-1.0, 1.0]),
        },
        lambda p: tfd.MixtureSameFamily(
            tfd.Categorical(logits=p["logits"]),
            tfd.Normal(p["mean"], jnp.exp(p["log_scale"])),
            reparameterize=True,
        ),
        lambda p, z: z**2 + z,
        moments,
    )
    draws = problems.draws(pathwise(16), problem, key, DRAWS)
    assert_unbiased(draws, problem.gradient())
    with rejected():  # the weights do not move the samples: what a mixture's own sampler says
        assert_unbiased(draws.at[:, 2:4].set(0.0), problem.gradient())


def test_a_transformed_distribution(key):
    # log-normal through a chain of bijectors: E z = exp(m + s^2 / 2)
    problem = problems.Problem(
        "log-normal",
        jnp.array([0.2, 0.5]),
        lambda p: distrax.Transformed(
            distrax.Normal(0.0, 1.0),
            distrax.Chain([distrax.Lambda(jnp.exp), distrax.ScalarAffine(p[0], p[1])]),
        ),
        lambda p, z: z,
        None,
    )
    mean = np.exp(0.2 + 0.5**2 / 2)
    assert_unbiased(problems.draws(pathwise(64), problem, key, DRAWS), [mean, 0.5 * mean])


def test_second_derivatives_are_unbiased(key):
    problem = problems.cosine
    apply = problems.surrogate(pathwise(64), problem)
    flat, unravel = jax.flatten_util.ravel_pytree(problem.params)
    hessian = jax.vmap(lambda key: jax.hessian(lambda p: apply(unravel(p), key)[0])(flat))
    draws = jax.jit(hessian)(jax.random.split(key, DRAWS))
    truth = jax.jit(jax.hessian(lambda p: problem.exact(unravel(p))))(flat)
    assert_unbiased(draws, truth)


def test_exact_moments_by_quadrature_are_the_closed_forms():
    mean, scale, shift = 0.7, 0.8, -0.5
    gradient = lambda noise: jax.grad(  # noqa: E731
        lambda p: (p[0] + p[1] * noise[0] - shift) ** 2
    )(jnp.array([mean, scale]))
    moments = exact_moments(gradient, *normal_quadrature(8, 1))
    d = mean - shift
    np.testing.assert_allclose(moments.mean, [2 * d, 2 * scale], rtol=1e-5)
    expected = [4 * scale**2, 4 * d**2 + 8 * scale**2]
    np.testing.assert_allclose(moments.variance, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "q",
    [
        distrax.Bernoulli(jnp.zeros(())),
        distrax.Bernoulli(jnp.zeros(()), dtype=float),
        distrax.OneHotCategorical(jnp.zeros(3), dtype=float),
        distrax.MixtureSameFamily(
            distrax.Categorical(jnp.zeros(2)), distrax.Normal(jnp.zeros(2), jnp.ones(2))
        ),
    ],
    ids=["integers", "float bernoulli", "float one-hot", "mixture"],
)
@pytest.mark.parametrize("estimator", [pathwise(), sticking_the_landing()], ids=lambda e: e.name)
def test_what_cannot_be_reparameterized_is_refused(estimator, q, key):
    with pytest.raises(ValueError, match=r"q: got .*expected a reparameterizable distribution"):
        estimator.apply((), key, lambda z, q=q: jnp.sum(z), q)


@pytest.mark.parametrize(
    "q",
    [
        distrax.LogStddevNormal(0.0, 0.0),
        distrax.MultivariateNormalFullCovariance(jnp.zeros(2), jnp.eye(2)),
        distrax.Dirichlet(jnp.ones(3)),
        distrax.Logistic(0.0, 1.0),
    ],
    ids=lambda q: q.name,
)
def test_what_can_be_is_not(q, key):
    value, estimate = pathwise(2).apply((), key, jnp.sum, q)
    assert jnp.isfinite(value)
    assert estimate.all_finite


def test_bad_input():
    for constructor in (pathwise, sticking_the_landing):
        with pytest.raises(ValueError, match="num_samples: got 0"):
            constructor(0)
    normal = distrax.Normal(0.0, 1.0)
    with pytest.raises(ValueError, match=r"f: got shape \(2,\) for one sample"):
        pathwise(3).apply((), jax.random.key(0), lambda z: z * jnp.ones(2), normal)
    with pytest.raises(ValueError, match=r"f: got a function that cannot be called as f\(z, q\)"):
        sticking_the_landing(3).apply((), jax.random.key(0), lambda z: z, normal)


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_params_that_are_not_finite_are_told(bad, key):
    _, estimate = pathwise(2).apply((), key, jnp.tanh, distrax.Normal(bad, 1.0))
    assert not estimate.all_finite


# The landing: f = log p(z) - log q(z), grad KL in closed form.


def elbo(params, z, q):
    return jnp.sum(distrax.Normal(0.5, 0.9).log_prob(z)) - q.log_prob(z)


def negative_kl(params):
    ratio = (params["scale"] / 0.9) ** 2
    return -0.5 * jnp.sum(ratio + ((params["mean"] - 0.5) / 0.9) ** 2 - 1 - jnp.log(ratio))


def landing(num_samples, params, key):
    q = problems.quadratic.q(params)
    f = lambda z, q=q: elbo(params, z, q)  # noqa: E731
    return sticking_the_landing(num_samples).apply((), key, f, q)[0]


def test_sticking_the_landing_is_unbiased(key):
    params = problems.GAUSSIAN_PARAMS
    flatten = lambda tree: jax.flatten_util.ravel_pytree(tree)[0]  # noqa: E731
    draw = lambda key: flatten(jax.grad(landing, argnums=1)(256, params, key))  # noqa: E731
    draws = jax.jit(jax.vmap(draw))(jax.random.split(key, DRAWS))
    truth = flatten(jax.grad(negative_kl)(params))
    assert_unbiased(draws, truth)
    with rejected():
        assert_unbiased(1.02 * draws, truth)


def test_there_is_no_noise_at_the_optimum(key):
    at_optimum = {"mean": jnp.full(2, 0.5), "scale": jnp.full(2, 0.9)}
    sticky = jax.grad(landing, argnums=1)(1, at_optimum, key)
    chex.assert_trees_all_close(sticky, jax.tree.map(jnp.zeros_like, sticky), atol=1e-5)
    q = problems.quadratic.q
    plain = jax.grad(
        lambda params, key: pathwise(1).apply(
            (), key, lambda z: elbo(params, z, q(params)), q(params)
        )[0]
    )(at_optimum, jax.random.key(1))
    assert max(jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(plain)) > 0.1


def test_jumps_are_looked_for_once_in_equal_structures(key):
    """They are read off two traces of the sampler, which take longer than sampling."""
    module = importlib.import_module("jaxgen.estimators.pathwise")  # the function hides it

    def mixture(scale):
        components = distrax.Normal(jnp.zeros(2), jnp.full(2, scale))
        return distrax.MixtureSameFamily(distrax.Categorical(jnp.zeros(2)), components)

    with (
        mock.patch.object(module, "_KNOWN_JUMPS", {}),
        mock.patch.object(module, "_find_jumps", wraps=module._find_jumps) as find,
    ):
        for scale in (0.5, 1.0, 2.0):
            pathwise(2).apply((), jax.random.clone(key), jnp.sum, distrax.Laplace(0.0, scale))
            with pytest.raises(ValueError, match="moves only in jumps"):
                pathwise(2).apply((), jax.random.clone(key), jnp.sum, mixture(scale))
        assert find.call_count == 2
        pathwise(2).apply((), key, jnp.sum, distrax.Logistic(0.0, 1.0))
        assert find.call_count == 3

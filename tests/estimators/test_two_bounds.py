"""Two bounds at once: each of its two gradients is that of one bound, on every draw."""

import chex
import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bounds import ELBO, IWAE, miwae
from jaxgen.distributions import FunctionDistribution
from jaxgen.estimators import (
    count_evaluations,
    doubly_reparameterized,
    pathwise,
    reweighted_wake_sleep,
    two_bounds,
    vimco,
)

MATRIX = jnp.asarray(np.random.default_rng(0).normal(size=(30, 30)) / 30)
NORMAL = {"q": (jnp.array([0.3, -0.5]), jnp.array([0.7, 1.2])), "model": jnp.array([0.5, 1.0])}
BITS = {"q": (jnp.array([0.3, -0.5]),), "model": jnp.array([0.5, 1.0])}
CASES = {
    "piwae": (doubly_reparameterized(4, bound=miwae(2)), IWAE, NORMAL),
    "by the plain path": (pathwise(4, bound=miwae(2)), IWAE, NORMAL),
    "the other way round": (doubly_reparameterized(4), ELBO, NORMAL),
    "bits": (vimco(4, bound=miwae(2)), IWAE, BITS),
    "fewer for q": (vimco(2, bound=ELBO), IWAE, BITS),
}


def gradient(estimator, params):
    def surrogate(params):
        make = distrax.Normal if len(params["q"]) == 2 else distrax.Bernoulli
        q = distrax.Independent(make(*params["q"]), 1)

        def f(z, q=q):
            return jnp.sum(jnp.cos(params["model"] * z - 0.3)) - q.log_prob(z)

        return estimator.apply((), jax.random.key(0), f, q)

    return jax.value_and_grad(surrogate, has_aux=True)(params)


def test_q_has_the_gradient_of_its_bound_and_the_model_that_of_the_other():
    def all_of_them():
        found = {}
        for name, (of_q, bound, params) in CASES.items():
            both = two_bounds(4, of_q=of_q, bound=bound)
            # Wake-sleep's gradient in the model is any bound's, of the same draws.
            alone = reweighted_wake_sleep(4, bound=bound)
            found[name] = [gradient(e, params) for e in (both, of_q, alone)]
        return found

    for name, (both, of_q, of_model) in jax.jit(all_of_them)().items():
        ((value, estimate), grads), (_, of_q), ((expected, _), of_model) = both, of_q, of_model
        np.testing.assert_allclose(value, expected, rtol=1e-5)
        chex.assert_trees_all_close(grads["q"], of_q["q"], rtol=1e-4, atol=1e-6)
        chex.assert_trees_all_close(grads["model"], of_model["model"], rtol=1e-4, atol=1e-6)
        assert np.abs(of_q["model"] - of_model["model"]).max() > 1e-3, name
        assert estimate.all_finite


def test_once_compiled_f_costs_once():
    def flops(estimator):
        def surrogate(mean):
            q = distrax.Independent(distrax.Normal(mean, jnp.ones(30)), 1)
            f = lambda z, q=q: jnp.sum(jnp.cos(MATRIX @ jnp.tanh(MATRIX @ z))) - q.log_prob(z)  # noqa: E731
            return estimator.apply((), jax.random.key(0), f, q)[0]

        both = jax.jit(jax.value_and_grad(surrogate))
        return both.lower(jnp.zeros(30)).compile().cost_analysis()["flops"]

    of_q = doubly_reparameterized(4, bound=miwae(2))
    assert flops(two_bounds(4, of_q=of_q)) < 1.1 * flops(of_q)
    assert flops(two_bounds(5, of_q=of_q)) > 1.3 * flops(of_q)


def test_what_it_says_of_itself_and_refuses(key):
    of_q = doubly_reparameterized(4, bound=miwae(2))
    piwae, q = two_bounds(8, of_q=of_q), distrax.Normal(0.0, 1.0)
    assert piwae == two_bounds(8, of_q=doubly_reparameterized(4, bound=miwae(2)))
    assert (piwae.bound, piwae.unbiased, count_evaluations(piwae, q)) == (IWAE, False, 12)
    with pytest.raises(ValueError, match="f: got a function that cannot be called as f"):
        piwae.apply((), key, lambda z: z, q)
    hidden = FunctionDistribution((), (), lambda key, _: jax.random.normal(key), lambda _, z: -z)
    with pytest.raises(ValueError, match="q: got FunctionDistribution, some of whose parameters"):
        piwae.apply((), key, lambda z, q=hidden: z - q.log_prob(z), hidden)
    with pytest.raises(ValueError, match="num_samples: got 0, expected an integer >= 1"):
        two_bounds(0, of_q=of_q)

"""GDReG by quadrature, beside DReG."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from quadrature import Replay

from jaxgen.bounds import IWAE, VR_MAX
from jaxgen.certify import exact_moments, normal_quadrature
from jaxgen.estimators import doubly_reparameterized, generalized_doubly_reparameterized

NOISE, PROBS = normal_quadrature(40, 2)
PARAMS = {
    "likelihood": jnp.array(0.8),  # the slope in z
    "prior": jnp.array([1.0, 0.3]),  # mean and log scale
    "q": jnp.array([0.4, -0.2]),
}
OURS, THEIRS = generalized_doubly_reparameterized(2), doubly_reparameterized(2)


def normal(params):
    return distrax.Normal(params[0], jnp.exp(params[1]))


def log_weight(params, scale, own_prior=False):
    def f(z, q=normal(params["q"]), prior=normal(params["prior"])):  # noqa: B008
        prior = normal(params["prior"]) if own_prior else prior
        likelihood = distrax.Normal(params["likelihood"] * z, scale).log_prob(-0.5)
        return likelihood + prior.log_prob(z) - q.log_prob(z)

    return f


def moments(estimator, params=PARAMS, scale=0.8, own_prior=False):
    """Of the gradient in the likelihood's, the prior's and q's parameters, in this order."""

    def gradient(noise):
        def surrogate(params):
            q = Replay(noise, params["q"][0], jnp.exp(params["q"][1]))
            f = log_weight(params, scale, own_prior)
            return estimator.apply((), jax.random.key(0), f, q)[0]

        return ravel_pytree(jax.grad(surrogate)(params))[0]

    return exact_moments(gradient, NOISE, PROBS)


def truth():
    def bound(params):
        z = params["q"][0] + jnp.exp(params["q"][1]) * NOISE
        return PROBS @ jax.vmap(IWAE)(jax.vmap(jax.vmap(log_weight(params, 0.8)))(z))

    return ravel_pytree(jax.grad(bound)(PARAMS))[0]


def test_unbiased_and_dreg_in_all_but_the_prior():
    found = jax.jit(
        lambda: (moments(OURS), moments(THEIRS), moments(OURS, own_prior=True), truth())
    )
    general, dreg, broken, exact = jax.tree.map(np.asarray, found())
    np.testing.assert_allclose(general.mean, exact, atol=2e-4)
    np.testing.assert_allclose(dreg.mean, exact, atol=2e-4)
    assert np.abs(broken.mean - exact).max() > 0.01  # an f whose prior is not held
    others = [0, 3, 4]
    np.testing.assert_allclose(general.variance[others], dreg.variance[others], rtol=1e-4)


@pytest.mark.parametrize(("scale", "ratio"), [(4.0, 1 / 16), (0.5, 256.0)])
def test_with_the_posterior_its_noise_is_by_what_the_likelihood_says(scale, ratio):
    """Prior N(1, 2), likelihood N(z, scale) at -.5: precisions of 1/4 and of 1/scale²."""
    precision = 1 / 4 + 1 / scale**2
    mean = (1 / 4 - 0.5 / scale**2) / precision
    params = {
        "likelihood": jnp.array(1.0),
        "prior": jnp.array([1.0, np.log(2.0)]),
        "q": jnp.array([mean, -0.5 * np.log(precision)]),
    }
    found = jax.jit(lambda: (moments(OURS, params, scale), moments(THEIRS, params, scale)))
    general, dreg = jax.tree.map(np.asarray, found())
    np.testing.assert_allclose(general.mean[1:3], dreg.mean[1:3], rtol=1e-4)
    np.testing.assert_allclose(general.variance[1] / dreg.variance[1], ratio, rtol=1e-3)


def test_refusals(key):
    q = distrax.Normal(0.0, 1.0)
    with pytest.raises(ValueError, match="f: got a function without a parameter named prior"):
        OURS.apply((), key, lambda z, q=q: z, q)
    gamma = distrax.Gamma(1.0, 1.0)
    with pytest.raises(ValueError, match="prior: got Gamma, expected a distrax Normal"):
        OURS.apply((), key, lambda z, q=q, prior=gamma: z**2, q)
    with pytest.raises(ValueError, match="bound: got vr-max, which is not twice differentiable"):
        generalized_doubly_reparameterized(2, bound=VR_MAX)

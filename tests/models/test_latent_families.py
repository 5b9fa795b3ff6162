"""Priors and posteriors of the VAE, against scipy, numerical derivatives and quadrature."""

import functools
from unittest import mock

import chex
import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy import stats
from scipy.special import logsumexp

from jaxgen.bounds import ELBO, IWAE
from jaxgen.certify import normal_quadrature
from jaxgen.distributions import Independent
from jaxgen.estimators import pathwise
from jaxgen.models import (
    LIKELIHOODS,
    Density,
    decoder,
    flow_posterior,
    gaussian_mixture,
    gaussian_posterior,
    gaussian_vae,
    hierarchical_vae,
    observe,
    standard_normal,
    vae,
)
from jaxgen.nets import MLP
from jaxgen.objectives import GRADIENTS, analytic_kl, elbo, monte_carlo_kl

SHAPE = (2, 2, 1)
X = jnp.array([1.0, 0.0, 1.0, 1.0]).reshape(SHAPE)
BERNOULLI = LIKELIHOODS["bernoulli"].distribution


def mlp(*output_shape):
    return MLP((5,), output_shape, nn.tanh)


def flow(latent_size=2, num_layers=2, conditioner=lambda shape: mlp(*shape)):
    return flow_posterior(mlp(3, latent_size), conditioner, latent_size, num_layers)


def family(prior, posterior, latent_size=2):
    return vae(
        prior,
        posterior,
        decoder(mlp(*SHAPE, 1), BERNOULLI),
        latent_size=latent_size,
        x_shape=SHAPE,
    )


MODELS = {
    "gaussian": family(standard_normal(2), gaussian_posterior(mlp(2, 2), 2)),
    "mixture": family(gaussian_mixture(2, 3), gaussian_posterior(mlp(2, 2), 2)),
    "flow": family(standard_normal(2), flow()),
    "hierarchical": hierarchical_vae(
        (mlp(2, 1), mlp(2, 1)),
        mlp(2, 1),
        mlp(*SHAPE, 1),
        BERNOULLI,
        latent_sizes=(1, 1),
        x_shape=SHAPE,
    ),
}
EVERY = pytest.mark.parametrize("name", MODELS)


@functools.cache
def params_of(name):
    """Away from the start, where layers may be the identity and components alike."""
    params, unravel = ravel_pytree(jax.jit(MODELS[name].init)(jax.random.key(0)))
    return unravel(params + 0.2 * jax.random.normal(jax.random.key(1), params.shape))


def net(params, inputs, shape):
    """The MLP of one hidden layer, in NumPy."""
    layers = jax.tree.map(lambda x: np.asarray(x, np.float64), params["params"])
    hidden = np.tanh(np.ravel(inputs) @ layers["Dense_0"]["kernel"] + layers["Dense_0"]["bias"])
    return (hidden @ layers["Dense_1"]["kernel"]).reshape(shape) + layers["output_bias"]


def log_normal(z, outputs):
    return stats.norm(outputs[0], np.exp(outputs[1])).logpdf(z).sum()


def log_joint(model, params, z):
    return model.prior(params).log_prob(z) + model.decode(params, z).log_prob(X)


@EVERY
def test_log_prob_is_that_of_the_change_of_variables(name):
    """z = T(noise): log q(z) = log N(noise) - log |det dT/dnoise|, the Jacobian by differences."""
    model, params = MODELS[name], params_of(name)

    def sample(noise):
        q = model.encode(params, X)
        if isinstance(q, distrax.Independent):
            return q.distribution.loc + q.distribution.scale * noise
        base = q.distribution.distribution
        return q.bijector.forward(base.loc + base.scale * noise)

    @jax.jit
    def numbers(noise, step, key):
        q, z = model.encode(params, X), sample(noise)
        own, log_prob = q.sample_and_log_prob(seed=key)
        apart = jax.vmap(sample)(noise + step) - jax.vmap(sample)(noise - step)
        return apart, q.log_prob(z), log_prob, q.log_prob(own)

    with jax.enable_x64(True):
        noise, step = np.array([0.4, -1.1]), 1e-6 * np.eye(2)
        apart, log_prob, own, own_again = numbers(noise, step, jax.random.key(3))
        jacobian = np.asarray(apart) / 2e-6
    expected = stats.norm.logpdf(noise).sum() - np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(log_prob, expected, rtol=1e-6)
    np.testing.assert_allclose(own, own_again, rtol=1e-6)


def test_a_flow_is_its_formula_layer_by_layer():
    posterior = flow(latent_size=3)
    params, unravel = ravel_pytree(jax.jit(posterior.init)(jax.random.key(0), X))
    params = unravel(params + 0.4 * jax.random.normal(jax.random.key(1), params.shape))
    mean, log_scale, context = net(params["encoder"], X, (3, 3))
    noise = np.array([0.3, -0.8, 1.2])
    z = mean + np.exp(log_scale) * noise
    log_q = stats.norm.logpdf(noise).sum() - log_scale.sum()
    for layer, moves in zip(params["layers"], ([1, 2], [0]), strict=True):
        inputs = np.concatenate([context, np.delete(z, moves)])
        shift, log_scale = net(layer, inputs, (len(moves), 2)).T
        log_scale = np.tanh(log_scale)
        z[moves] = shift + np.exp(log_scale) * z[moves]
        log_q -= log_scale.sum()
    batch = jnp.asarray(np.stack([z, 0 * z]), jnp.float32)  # one z or many
    log_prob = jax.jit(lambda z: posterior.distribution(params, X).log_prob(z))
    np.testing.assert_allclose(log_prob(batch)[0], log_q, rtol=1e-4)
    np.testing.assert_allclose(log_prob(batch[0]), log_q, rtol=1e-4)


def test_a_flow_whose_last_layers_start_at_zero_is_the_gaussian():
    zero = lambda shape: MLP((5,), shape, output_kernel_init=nn.initializers.zeros)  # noqa: E731
    posterior = flow(conditioner=zero)
    params = jax.jit(posterior.init)(jax.random.key(0), X)
    outputs = net(params["encoder"], X, (3, 2))
    z = np.array([0.2, -0.7])
    log_q = jax.jit(lambda z: posterior.distribution(params, X).log_prob(z))(jnp.asarray(z))
    np.testing.assert_allclose(log_q, log_normal(z, outputs), rtol=1e-5)


def test_the_mixture_is_scipys():
    prior, params = gaussian_mixture(2, 3), params_of("mixture")["prior"]
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
    log_weights = p["logits"] - logsumexp(p["logits"])
    z = np.array([0.7, -0.4])
    parts = [
        w + stats.multivariate_normal(m, np.diag(np.exp(2 * s))).logpdf(z)
        for w, m, s in zip(log_weights, p["means"], p["log_scales"], strict=True)
    ]

    @jax.jit
    def numbers(key, z):
        p = prior.distribution(params, ())
        return p.log_prob(z), p.sample(seed=key, sample_shape=(20_000,)).mean(axis=0)

    log_prob, mean = numbers(jax.random.key(0), jnp.asarray(z))
    np.testing.assert_allclose(log_prob, logsumexp(parts), rtol=1e-5)
    np.testing.assert_allclose(mean, np.exp(log_weights) @ p["means"], atol=0.06)


def test_the_hierarchical_joint_is_its_four_conditionals():
    model, params = MODELS["hierarchical"], params_of("hierarchical")
    z = np.array([0.6, -1.3])
    z1, z2 = z[:1], z[1:]
    top_down = net(params["prior"], z2, (2, 1))
    logits = net(params["decoder"], z1, (*SHAPE, 1))[..., 0]
    pixels = stats.bernoulli(1 / (1 + np.exp(-logits))).logpmf(np.asarray(X, int)).sum()
    expected = stats.norm.logpdf(z2).sum() + log_normal(z1, top_down) + pixels
    ours = jax.jit(lambda z: (log_joint(model, params, z), model.encode(params, X).log_prob(z)))
    joint, log_q = ours(jnp.asarray(z))
    np.testing.assert_allclose(joint, expected, rtol=1e-5)
    of_z1 = net(params["encoder"]["encoder"], X, (2, 1))
    of_z2 = net(params["encoder"]["bottom_up"], z1, (2, 1))
    np.testing.assert_allclose(log_q, log_normal(z1, of_z1) + log_normal(z2, of_z2), rtol=1e-5)


@pytest.mark.parametrize("name", ["mixture", "flow", "hierarchical"])
def test_its_bounds_are_below_log_p_by_quadrature_and_rise_with_samples(name):
    model, params = MODELS[name], params_of(name)
    axis = np.linspace(-12, 12, 301)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2).astype(np.float32)

    def log_weight(z):
        return log_joint(model, params, z) - model.encode(params, X).log_prob(z)

    @jax.jit
    def measured(keys):
        q = model.encode(params, X)
        joint = jax.nn.logsumexp(jax.vmap(lambda z: log_joint(model, params, z))(grid))
        mass = jax.nn.logsumexp(jax.vmap(q.log_prob)(grid))

        def draw(key):
            key_weights, key_elbo = jax.random.split(key)
            weights = jax.vmap(log_weight)(q.sample(seed=key_weights, sample_shape=(20,)))
            terms = elbo(
                key_elbo,
                lambda z: model.decode(params, z).log_prob(X),
                q,
                model.prior(params),
                kl=monte_carlo_kl,
            )
            return terms.elbo, ELBO(weights), IWAE(weights)

        return joint, mass, jax.vmap(draw)(keys)

    cell = 2 * np.log(axis[1] - axis[0])
    joint, mass, draws = measured(jax.random.split(jax.random.key(2), 4000))
    log_p = float(joint) + cell
    np.testing.assert_allclose(float(mass) + cell, 0.0, atol=1e-3)
    by_terms, by_weights, iwae = np.asarray(draws, np.float64)
    stderr = by_terms.std() / np.sqrt(4000)
    assert by_terms.mean() < log_p - 5 * stderr
    assert abs(by_terms.mean() - by_weights.mean()) < 6 * stderr
    assert by_weights.mean() < iwae.mean() < log_p + 5 * stderr
    ratio = np.exp(iwae - log_p)
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / np.sqrt(4000)


def test_every_gradient_is_exact_by_quadrature():
    """In one number that moves all params of q, those of the couplings too; two samples of two."""
    model = MODELS["flow"]
    start = jax.tree.map(lambda x: 0.5 * x, params_of("flow"))  # smooth enough for few nodes
    flat, unravel = ravel_pytree(start["encoder"])
    direction = 0.2 * jax.random.normal(jax.random.key(5), flat.shape)
    nodes, probs = normal_quadrature(9, 4)

    def surrogate(shift, noise, estimator):
        q = model.encode(start | {"encoder": unravel(flat + shift * direction)}, X)

        def normal(key, shape=(), dtype=float):
            if np.prod(shape) != noise.size:  # the check of q, which looks at the program alone
                return noise[0] * jnp.ones(shape, dtype)
            return noise.reshape(shape).astype(dtype)

        at = observe(model, start, X)
        f = lambda z, q=q, prior=at.prior: at.log_weight(z, q, prior)  # noqa: E731
        with mock.patch.object(jax.random, "normal", normal):
            return estimator.apply((), jax.random.key(0), f, q)[0]

    # Sticking the landing is biased for any but the ELBO, and labeled so; wake-sleep for any.
    estimators = {name: make(2, bound=IWAE) for name, make in GRADIENTS.items()}
    estimators["sticking_the_landing"] = GRADIENTS["sticking_the_landing"](2, bound=ELBO)
    estimators = {name: e for name, e in estimators.items() if e.unbiased}
    assert len(estimators) == len(GRADIENTS) - 1

    @jax.jit
    def means():
        one = jax.grad(surrogate)
        over = lambda e: probs @ jax.vmap(lambda noise: one(0.0, noise, e))(nodes)  # noqa: E731
        return {n: over(e) for n, e in (estimators | {"elbo": pathwise(2)}).items()}

    gradients = means()
    elbo_gradient, iwae_gradient = gradients.pop("elbo"), gradients["pathwise"]
    np.testing.assert_allclose(
        gradients.pop("sticking_the_landing"), elbo_gradient, rtol=1e-3, atol=1e-4
    )
    for gradient, mean in gradients.items():
        np.testing.assert_allclose(mean, iwae_gradient, rtol=5e-3, atol=5e-4, err_msg=gradient)
    assert abs(iwae_gradient - elbo_gradient) > 0.02


def test_what_has_no_closed_form_is_told_and_bad_sizes_are_named():
    for name in ("mixture", "flow", "hierarchical"):
        model, params = MODELS[name], params_of(name)
        q, prior = model.encode(params, X), model.prior(params)
        with pytest.raises(NotImplementedError, match="pass kl=monte_carlo_kl"):
            analytic_kl(jax.random.key(0), q, prior, pathwise())
    with pytest.raises(ValueError, match="num_components: got 0, expected an integer >= 1"):
        gaussian_mixture(2, 0)
    with pytest.raises(ValueError, match="latent_size: got 1, expected an integer >= 2"):
        flow(latent_size=1)
    with pytest.raises(ValueError, match="num_layers: got 0, expected an integer >= 1"):
        flow(num_layers=0)
    with pytest.raises(ValueError, match=r"encoder: got .* \(2, 2\), expected \(3, 2\)"):
        flow_posterior(mlp(2, 2), lambda shape: mlp(*shape), 2).init(jax.random.key(0), X)
    with pytest.raises(ValueError, match=r"conditioner: got .* \(2, 5\), expected \(1, 2\)"):
        flow(conditioner=lambda shape: mlp(2, 5)).init(jax.random.key(0), X)
    with pytest.raises(ValueError, match="latent_sizes: got 0, expected an integer >= 1"):
        hierarchical_vae(
            (mlp(2, 1), mlp(2, 1)), mlp(2, 1), mlp(1), BERNOULLI, latent_sizes=(1, 0), x_shape=SHAPE
        )


def test_the_plain_parts_are_the_plain_vae():
    arguments = (mlp(*SHAPE, 1), BERNOULLI)
    plain = gaussian_vae(mlp(2, 2), *arguments, latent_size=2, x_shape=SHAPE)
    params = plain.init(jax.random.key(0))
    chex.assert_trees_all_equal(params, MODELS["gaussian"].init(jax.random.key(0)))
    assert jax.tree.leaves(params["prior"]) == []
    composed = MODELS["gaussian"].encode(params, X)
    np.testing.assert_array_equal(plain.encode(params, X).mean(), composed.mean())


def test_latents_may_be_an_array_of_any_shape(key):
    """Twenty one-hots, as a VAE of categories has them: log q and log p of one z are scalars."""
    shape = (20, 10)

    def uniform(given):
        return Independent(distrax.OneHotCategorical(jnp.zeros(shape), dtype=jnp.float32), 1)

    prior = Density(lambda key, context: {}, lambda params, context: uniform(context))
    posterior = Density(lambda key, x: {}, lambda params, x: uniform(x))
    net = decoder(mlp(*SHAPE, 1), BERNOULLI)
    model = vae(prior, posterior, net, latent_size=shape, x_shape=SHAPE)
    at = observe(model, model.init(key), X)
    z = at.q.sample(seed=jax.random.key(1))
    assert z.shape == shape
    np.testing.assert_allclose(at.prior.log_prob(z), 20 * np.log(1 / 10), rtol=1e-6)
    assert at.log_weight(z).shape == ()
    with pytest.raises(ValueError, match="latent_size: got 0, expected"):
        vae(prior, posterior, net, latent_size=(20, 0), x_shape=SHAPE)
    with pytest.raises(ValueError, match=r"z: got shape \(200,\)"):
        at.log_likelihood(jnp.zeros(200))

"""Shapes that would broadcast are refused by name; any density serves in any place."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.distributions import diagonal_normal
from jaxgen.metrics import log_marginal
from jaxgen.models import (
    LIKELIHOODS,
    Density,
    LatentVariableModel,
    belief_network,
    decoder,
    flow_posterior,
    gaussian_posterior,
    gaussian_vae,
    hierarchical_vae,
    linear_gaussian,
    observe,
    standard_normal,
    stochastic_volatility,
    vae,
    variational_rnn,
)
from jaxgen.nets import MLP
from jaxgen.objectives import elbo

SHAPE = (8, 8, 1)
X = jnp.ones(SHAPE)
BERNOULLI = LIKELIHOODS["bernoulli"].distribution


def small(encoder=None, net=None):
    encoder, net = encoder or MLP((16,), (2, 4)), net or MLP((16,), (*SHAPE, 1))
    return gaussian_vae(encoder, net, BERNOULLI, latent_size=4, x_shape=SHAPE)


MODEL = small()
PARAMS = MODEL.init(jax.random.key(0))


@pytest.mark.parametrize("shape", [(8, 8), (64,), (8, 8, 1, 1), (1, 8, 8, 1), (8, 1, 8)])
def test_x_of_another_shape_is_refused(shape):
    """[8, 8] gave -355.0 and [64] gave -2840.8 in place of -44.5."""
    x = X.reshape(shape)
    with pytest.raises(ValueError, match=r"x: got shape .*, expected \(8, 8, 1\)"):
        observe(MODEL, PARAMS, x)
    at = observe(MODEL, PARAMS, X)
    log_joint = lambda z: MODEL.decode(PARAMS, z).log_prob(x) + at.prior.log_prob(z)  # noqa: E731
    if shape != (1, *SHAPE):  # a batch of one: log_joint is no number, and refused as such
        with pytest.raises(ValueError, match=r"value: got shape .*, expected \(8, 8, 1\)"):
            log_joint(jnp.zeros(4))
    with pytest.raises(ValueError, match="got"):
        log_marginal(jax.random.key(0), log_joint, at.q, 5)
    likelihood = lambda z: MODEL.decode(PARAMS, z).log_prob(x)  # noqa: E731
    with pytest.raises(ValueError, match="got"):
        elbo(jax.random.key(0), likelihood, at.q, at.prior)


@pytest.mark.parametrize("shape", [(3,), (5,), (4, 1), (1, 4), ()])
def test_z_of_another_length_is_refused(shape):
    """What went beyond the latent was cut off."""
    at = observe(MODEL, PARAMS, X)
    for f in (at.log_likelihood, at.log_joint, at.log_weight):
        with pytest.raises(ValueError, match=r"z: got shape .*, expected \(4,\)"):
            f(jnp.ones(shape))


def mlp(*shape):
    return MLP((4,), shape)


MODELS = {
    "belief_network": belief_network(
        mlp(4), mlp(*SHAPE, 1), BERNOULLI, latent_size=4, x_mean=0.5 * X
    ),
    "hierarchical": hierarchical_vae(
        (mlp(2, 2), mlp(2, 2)),
        mlp(2, 2),
        mlp(*SHAPE, 1),
        BERNOULLI,
        latent_sizes=(2, 2),
        x_shape=SHAPE,
    ),
    "flow": vae(
        standard_normal(4),
        flow_posterior(mlp(3, 4), lambda shape: mlp(*shape), 4, 2),
        decoder(mlp(*SHAPE, 1), BERNOULLI),
        latent_size=4,
        x_shape=SHAPE,
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_refuses_other_shapes(name):
    model = MODELS[name]
    params = model.init(jax.random.key(0))
    at = observe(model, params, X)
    assert at.log_weight(jnp.zeros(4)).shape == ()
    with pytest.raises(ValueError, match=r"x: got shape \(8, 8\), expected \(8, 8, 1\)"):
        model.encode(params, X[..., 0])
    with pytest.raises(ValueError, match=r"z: got shape \(5,\), expected \(4,\)"):
        model.decode(params, jnp.zeros(5))
    with pytest.raises(ValueError, match=r"value: got shape \(8, 8\)"):
        model.decode(params, jnp.zeros(4)).log_prob(X[..., 0])


@pytest.mark.parametrize(
    "model",
    [
        linear_gaussian(2, 3),
        stochastic_volatility(2),
        variational_rnn(
            nn.GRUCell(4),
            mlp(2, 2),
            mlp(2, 2),
            mlp(2, 3),
            lambda outputs: diagonal_normal(*outputs),
            latent_size=2,
            x_size=3,
        ),
    ],
    ids=["linear_gaussian", "stochastic_volatility", "variational_rnn"],
)
def test_a_sequential_model_refuses_other_shapes(model):
    params = model.init(jax.random.key(0))
    state = model.start(params)
    with pytest.raises(ValueError, match=r"x: got shape \(1,\), expected"):
        model.encode(params, state, jnp.zeros(1))
    with pytest.raises(ValueError, match=r"z: got shape \(1,\), expected \(2,\)"):
        model.decode(params, state, jnp.zeros(1))
    with pytest.raises(ValueError, match=r"value: got shape \(1,\), expected"):
        model.decode(params, state, jnp.zeros(2)).log_prob(jnp.zeros(1))


def test_observe_refuses_x_of_another_shape_for_a_model_written_by_hand():
    model = LatentVariableModel(
        init=lambda key: {},
        prior=lambda params: diagonal_normal(jnp.zeros(2), jnp.zeros(2)),
        encode=lambda params, x: diagonal_normal(jnp.zeros(2), jnp.zeros(2)),
        decode=lambda params, z: diagonal_normal(jnp.zeros(3), jnp.zeros(3)),
    )
    assert observe(model, {}, jnp.zeros(3)).log_weight(jnp.zeros(2)).shape == ()
    with pytest.raises(ValueError, match=r"x: got shape \(2, 3\), expected \(3,\)"):
        observe(model, {}, jnp.zeros((2, 3))).log_likelihood(jnp.zeros(2))


def test_a_decoder_gives_one_distribution_over_one_datapoint():
    net = MLP((16,), (8, 8, 2, 1))
    with pytest.raises(ValueError, match=r"decoder: got .* event shape \(8, 8, 2\), expected"):
        small(net=net).decode(small(net=net).init(jax.random.key(0)), jnp.zeros(4))


def test_any_density_is_a_prior_a_posterior_or_a_decoder():
    """The Gaussian of a net decodes a vector; a prior that looks at nothing is a posterior too."""
    model = vae(
        standard_normal(2),
        standard_normal(2),
        gaussian_posterior(MLP((), (2, 3)), 3),
        latent_size=2,
        x_shape=(3,),
    )
    params = model.init(jax.random.key(0))
    at = observe(model, params, jnp.ones(3))
    assert float(at.q.kl_divergence(at.prior)) == 0.0
    z = jnp.array([0.5, -1.0])
    np.testing.assert_allclose(at.log_weight(z), at.log_likelihood(z), rtol=1e-6)


def test_a_density_of_ones_own_needs_no_key():
    own = Density(lambda key, x: {}, lambda params, x: diagonal_normal(x[:2], jnp.zeros(2)))
    model = vae(
        standard_normal(2),
        own,
        decoder(MLP((), (2, 3)), lambda outputs: diagonal_normal(*outputs)),
        latent_size=2,
        x_shape=(3,),
    )
    at = observe(model, model.init(jax.random.key(0)), jnp.ones(3), key=jax.random.key(1))
    np.testing.assert_array_equal(at.q.mean(), jnp.ones(2))

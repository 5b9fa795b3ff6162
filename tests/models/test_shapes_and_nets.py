"""What a model refuses by name: shapes that would broadcast, nets that are not of one datapoint."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

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


class Normalized(nn.Module):
    shape: tuple[int, ...] = (2, 4)

    @nn.compact
    def __call__(self, x, *, train=False):
        x = nn.BatchNorm(use_running_average=not train)(x.reshape(1, -1))
        return MLP((), self.shape)(x)


class Dropped(nn.Module):
    shape: tuple[int, ...] = (2, 4)

    @nn.compact
    def __call__(self, x, *, train=False):
        x = nn.Dense(32)(x.reshape(-1))
        x = nn.Dropout(0.5, deterministic=not train)(x)
        return MLP((), self.shape)(x)


class Pair(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(4)(x.reshape(-1)), nn.Dense(4)(x.reshape(-1))


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_collections_beside_params_are_refused_by_name(part):
    """The batch statistics lay among the params, and Adam moved them."""
    model = small(Normalized()) if part == "encoder" else small(net=Normalized((*SHAPE, 1)))
    with pytest.raises(ValueError, match=f"{part}: got a net with the collections batch_stats"):
        model.init(jax.random.key(0))


def test_an_encoder_of_two_outputs_is_refused_by_name():
    with pytest.raises(ValueError, match="encoder: got a tuple as output, expected an array"):
        small(Pair()).init(jax.random.key(0))


def test_a_key_reaches_dropout_and_without_one_nothing_is_dropped():
    model = small(Dropped(), Dropped((*SHAPE, 1)))
    params = model.init(jax.random.key(0))
    z = jnp.ones(4)

    def numbers(key):
        at = observe(model, params, X, key=key)
        # One mask, however often it is asked.
        return at.q.mean(), at.log_likelihood(z), at.log_likelihood(z)

    means, log_p, again = jax.vmap(numbers)(jax.random.split(jax.random.key(1), 500))
    np.testing.assert_array_equal(log_p, again)
    assert np.all(np.std(means, axis=0) > 0.01)
    assert np.std(log_p) > 0.1
    still = numbers(None)
    np.testing.assert_array_equal(still[0], model.encode(params, X).mean())
    np.testing.assert_array_equal(still[1], model.decode(params, z).log_prob(X))
    # The encoder is affine after its dropout: half the units at twice their size, on average.
    stderr = np.std(means, axis=0) / np.sqrt(500)
    np.testing.assert_array_less(np.abs(np.mean(means, axis=0) - still[0]), 5 * stderr)


def affine(shape):
    """A pair of plain functions."""

    def init(key, inputs):
        weights = 0.1 * jax.random.normal(key, (int(np.prod(shape)), inputs.size))
        return {"weights": weights, "bias": jnp.zeros(shape)}

    def apply(params, inputs):
        return (params["weights"] @ inputs.reshape(-1)).reshape(shape) + params["bias"]

    return init, apply


class Affine(nnx.Module):
    def __init__(self, size, shape, *, rngs):
        self.layer, self.shape = nnx.Linear(size, int(np.prod(shape)), rngs=rngs), shape

    def __call__(self, x):
        return self.layer(x.reshape(-1)).reshape(self.shape)


def bridged(size, shape):
    return nnx.bridge.ToLinen(Affine, args=(size, shape))


NETS = {
    "linen": lambda size, shape: MLP((), shape, kernel_init=nn.initializers.normal(0.1)),
    "pair": lambda size, shape: affine(shape),
    "nnx": bridged,
}


@pytest.mark.parametrize("library", NETS)
def test_a_vae_of_any_librarys_nets_trains(library):
    net = NETS[library]
    model = vae(
        standard_normal(4),
        flow_posterior(net(64, (3, 4)), lambda shape: net(4 + 2, shape), 4, 2),
        decoder(net(4, (*SHAPE, 1)), BERNOULLI),
        latent_size=4,
        x_shape=SHAPE,
    )
    optimizer = optax.adam(1e-2)
    xs = (jax.random.uniform(jax.random.key(1), (16, *SHAPE)) < 0.2).astype(float)

    def loss(params, key):
        def one(key, x):
            at = observe(model, params, x, key=key)
            return -at.log_weight(at.q.sample(seed=jax.random.fold_in(key, 0)))

        return jnp.mean(jax.vmap(one)(jax.random.split(key, 16), xs))

    @jax.jit
    def train(params):
        def step(carry, index):
            params, state = carry
            key = jax.random.fold_in(jax.random.key(2), index)
            value, grads = jax.value_and_grad(loss)(params, key)
            updates, state = optimizer.update(grads, state)
            return (optax.apply_updates(params, updates), state), value

        return jax.lax.scan(step, (params, optimizer.init(params)), jnp.arange(150))[1]

    values = train(model.init(jax.random.key(0)))
    assert np.isfinite(values).all()
    assert values[-10:].mean() < 0.8 * values[:5].mean(), values


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

"""Nets of any library inside a model: what is refused by name, dropout's key, and training."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxgen.models import (
    LIKELIHOODS,
    decoder,
    flow_posterior,
    gaussian_vae,
    observe,
    standard_normal,
    vae,
)
from jaxgen.nets import MLP

SHAPE = (8, 8, 1)
X = jnp.ones(SHAPE)
BERNOULLI = LIKELIHOODS["bernoulli"].distribution


def small(encoder=None, net=None):
    encoder, net = encoder or MLP((16,), (2, 4)), net or MLP((16,), (*SHAPE, 1))
    return gaussian_vae(encoder, net, BERNOULLI, latent_size=4, x_shape=SHAPE)


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

"""Nets in half precision: what is rounded, and what stays in float32."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.models import LIKELIHOODS, gan, gaussian_vae, observe
from jaxgen.nets import MLP, DCGANCritic, DCGANGenerator, half_precision
from jaxgen.objectives import GAN_LOSSES, elbo, game_losses
from jaxgen.train import game_update, gradient_step, init_game, init_state, mean_over_batch

X = jnp.asarray(np.random.default_rng(0).uniform(size=(8, 8, 1)), jnp.float32)


class Seen(nn.Module):
    """Notes in which precision it computes."""

    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], 4))
        assert x.dtype == kernel.dtype == jnp.bfloat16
        return x @ kernel


def dtypes(tree):
    return {x.dtype for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)}


def test_a_pass_is_in_bfloat16_between_float32():
    net = half_precision((lambda key, x: jnp.full((3, 4), 1 / 3), lambda params, x: x @ params))
    variables = net.init(jax.random.key(0), jnp.ones(3))
    outputs, _ = net.apply(variables, jnp.full(3, 0.1))
    assert outputs.dtype == jnp.float32 == variables["params"].dtype
    rounded = [float(jnp.bfloat16(value)) for value in (1 / 3, 0.1)]
    # The product's own sum is rounded once more, to 8 bits.
    np.testing.assert_allclose(outputs, 3 * rounded[0] * rounded[1], rtol=2**-8)
    assert np.all(np.asarray(outputs) != np.float32(0.1))


def test_a_module_computes_in_half_precision_and_keeps_its_params():
    outputs, _ = half_precision(Seen()).apply({"params": {"kernel": jnp.ones((3, 4))}}, jnp.ones(3))
    assert outputs.dtype == jnp.float32


def test_integers_and_labels_are_left_alone():
    net = half_precision((lambda key, x: jnp.eye(300), lambda params, x: params[x]))
    variables = net.init(jax.random.key(0), 3)
    outputs, _ = net.apply(variables, jnp.arange(300))  # bfloat16 has no 257
    np.testing.assert_array_equal(outputs, np.eye(300))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.int16, jnp.float64])
def test_no_half_precision_is_refused(dtype):
    with pytest.raises(ValueError, match=r"dtype: got \w+, expected bfloat16 or float16"):
        half_precision(MLP((), (2,)), dtype=dtype)


def test_a_vae_keeps_its_state_in_float32_and_its_bound_within_a_percent():
    def model(wrap):
        nets = MLP((16,), (2, 3)), MLP((16,), (8, 8, 1, 1))
        family = LIKELIHOODS["bernoulli"].distribution
        return gaussian_vae(*map(wrap, nets), family, latent_size=3, x_shape=(8, 8, 1))

    def terms_of(model):
        def terms(params, key, x):
            at = observe(model, params, x)
            found = elbo(key, at.log_likelihood, at.q, at.prior)
            return -found.elbo, {}

        return mean_over_batch(terms)

    half, whole, adam = model(half_precision), model(lambda net: net), optax.adam(1e-3)
    params = half.init(jax.random.key(0))
    state = init_state(params, adam, ema=True)
    xs = jnp.stack([X] * 4)
    update = jax.jit(gradient_step(terms_of(half), adam, ema_decay=0.9))
    state, info = update(state, jax.random.key(1), xs)
    assert dtypes(state) == dtypes(info) == {jnp.dtype(jnp.float32)}
    exact = terms_of(whole)(params, jax.random.key(1), xs)[0]
    assert 0 < abs(info["loss"] - exact) < 0.01 * exact


def test_a_game_keeps_batch_statistics_and_losses_in_float32():
    nets = DCGANGenerator((8, 8, 1), (8, 4)), DCGANCritic((4, 8))
    model = gan(*map(half_precision, nets), latent_size=3, x_shape=(8, 8, 1))
    adam = optax.adam(1e-3)
    update = game_update(game_losses(model, GAN_LOSSES["non_saturating"]()), adam, adam)
    game = init_game(jax.random.key(0), model, adam, adam)
    shapes = jax.eval_shape(update, game, jax.random.key(1), jnp.zeros((4, 8, 8, 1)))
    assert dtypes(shapes) == {jnp.dtype(jnp.float32)}
    assert jax.tree.structure(shapes[0]) == jax.tree.structure(game)

"""The VAE recipe's choices reach what they choose."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.vae import KLS, Config, kl_weight, make_model
from jaxgen.workbench import load_pixels, negative_elbo


def test_the_weight_of_the_kl_warms_up_to_beta():
    config = Config(beta=2.0, warmup_epochs=3)
    np.testing.assert_allclose([kl_weight(config, i) for i in range(5)], [0.5, 1, 1.5, 2, 2])
    assert kl_weight(Config(), 0) == 1.0


def test_kl_and_activation_change_the_numbers():
    images = load_pixels(Config(), splits=3 * ["train[:64]"]).train

    def value(kl="analytic", **choices):
        model = make_model(Config(hidden=(8,), latent_size=3, **choices), images)
        one = negative_elbo(model, images.prepare, kl=KLS[kl])
        params = jax.jit(model.init)(jax.random.key(0))
        return jax.jit(one)(params, jax.random.key(1), jnp.asarray(images.images[0]))[1]

    analytic, sampled = value(kl="analytic"), value(kl="monte_carlo")
    assert analytic["reconstruction"] == sampled["reconstruction"]
    assert analytic["kl"] != sampled["kl"]
    assert value(activation="relu")["reconstruction"] != analytic["reconstruction"]

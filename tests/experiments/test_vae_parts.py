"""The VAE recipe's choices reach what they choose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.vae import Config, kl_weight, make_model, make_terms
from jaxgen.train import mean_over_batch
from jaxgen.workbench import load_pixels


def test_the_weight_of_the_kl_warms_up_to_beta():
    config = Config(beta=2.0, warmup_epochs=3)
    np.testing.assert_allclose([kl_weight(config, i) for i in range(5)], [0.5, 1, 1.5, 2, 2])
    assert kl_weight(Config(), 0) == 1.0


def terms_of(**choices):
    config = Config(hidden=(8,), latent_size=3, **choices)
    images = load_pixels(config).train
    model = make_model(config, images)
    one = make_terms(config, model, images)
    return one, model.init(jax.random.key(0)), jnp.asarray(images.images[:16])


@pytest.mark.parametrize("beta", [0.0, 0.5, 3.0])
def test_the_loss_is_beta_kl_less_reconstruction(beta):
    one, params, images = terms_of()

    def weighted(*arguments):
        return one(*arguments, beta=beta)

    loss, info = mean_over_batch(weighted)(params, jax.random.key(1), images)
    np.testing.assert_allclose(loss, beta * info["kl"] - info["reconstruction"], rtol=1e-6)
    np.testing.assert_allclose(info["elbo"], info["reconstruction"] - info["kl"], rtol=1e-5)


def test_kl_and_activation_change_the_numbers():
    def value(**choices):
        one, params, images = terms_of(**choices)
        return one(params, jax.random.key(1), images[0])[1]

    analytic, sampled = value(kl="analytic"), value(kl="monte_carlo")
    assert analytic["reconstruction"] == sampled["reconstruction"]
    assert analytic["kl"] != sampled["kl"]
    assert value(activation="relu")["reconstruction"] != analytic["reconstruction"]


@pytest.mark.parametrize("beta", [float("inf"), float("nan"), -1.0])
def test_beta_is_a_finite_weight(beta):
    with pytest.raises(ValueError, match=r"beta: got .*, expected a finite number >= 0"):
        Config(beta=beta)

"""The VAE recipe's choices reach what they choose."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.vae import (
    KLS,
    Config,
    datapoint_terms,
    kl_weight,
    load_split,
    make_loss,
    make_model,
    make_optimizer,
    prepare,
)

GRADIENT = {"w": jnp.array([3.0, 4.0])}


def rates(config, steps_per_epoch=1):
    """The size of Adam's steps under a constant gradient: the learning rate itself."""
    optimizer = make_optimizer(config, steps_per_epoch)
    state, sizes = optimizer.init(GRADIENT), []
    for _ in range(config.epochs * steps_per_epoch):
        updates, state = optimizer.update(GRADIENT, state)
        sizes.append(-float(updates["w"][0]))
    return sizes


def test_the_schedule_is_constant_or_falls_to_a_hundredth():
    np.testing.assert_allclose(
        rates(Config(epochs=5, schedule="constant", learning_rate=0.1)), 0.1, rtol=1e-4
    )
    falling = rates(Config(epochs=5, schedule="cosine", learning_rate=0.1), 4)
    expected = 0.1 * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * np.arange(20) / 20)))
    np.testing.assert_allclose(falling, expected, rtol=1e-3)


def test_clipping_shortens_what_adam_sees():
    for clip_norm, first_moment in ((None, [0.3, 0.4]), (1.0, [0.06, 0.08]), (9.0, [0.3, 0.4])):
        optimizer = make_optimizer(Config(clip_norm=clip_norm), 1)
        _, state = optimizer.update(GRADIENT, optimizer.init(GRADIENT))
        (moments,) = [s for s in jax.tree.leaves(state, is_leaf=is_adam) if is_adam(s)]
        np.testing.assert_allclose(moments.mu["w"], first_moment, rtol=1e-5)


def is_adam(node):
    return isinstance(node, optax.ScaleByAdamState)


def test_the_weight_of_the_kl_warms_up_to_beta():
    config = Config(beta=2.0, warmup_epochs=3)
    np.testing.assert_allclose([kl_weight(config, i) for i in range(5)], [0.5, 1, 1.5, 2, 2])
    assert kl_weight(Config(), 0) == 1.0


def terms_of(**choices):
    config = Config(hidden=(8,), latent_size=3, **choices)
    train = load_split(config, "train")
    model = make_model(config, train.images)
    terms = datapoint_terms(model, prepare(config, train), KLS[config.kl])
    return terms, model.init(jax.random.key(0)), jnp.asarray(train.images[:16])


@pytest.mark.parametrize("beta", [0.0, 0.5, 3.0])
def test_the_loss_is_beta_kl_less_reconstruction(beta):
    terms, params, images = terms_of()
    loss, info = make_loss(terms, jnp.asarray(beta))(params, jax.random.key(1), images)
    np.testing.assert_allclose(loss, beta * info["kl"] - info["reconstruction"], rtol=1e-6)
    np.testing.assert_allclose(info["elbo"], info["reconstruction"] - info["kl"], rtol=1e-5)


def test_kl_and_activation_change_the_numbers():
    def value(**choices):
        terms, params, images = terms_of(**choices)
        return terms(params, jax.random.key(1), images[0])

    analytic, sampled = value(kl="analytic"), value(kl="monte_carlo")
    assert analytic.reconstruction == sampled.reconstruction
    assert analytic.kl != sampled.kl
    assert value(activation="relu").reconstruction != analytic.reconstruction


def test_gaussian_pixels_are_dequantized_and_no_others():
    for likelihood, lattice in (("gaussian", False), ("discretized_logistic", True)):
        config = Config(likelihood=likelihood)
        train = load_split(config, "train")
        x = prepare(config, train)(jax.random.key(0), jnp.asarray(train.images[:8]))
        on_lattice = np.abs(np.asarray(x) * 255 - np.rint(np.asarray(x) * 255)) < 1e-3
        assert on_lattice.all() == lattice
        assert np.asarray(x).min() >= 0
        assert np.asarray(x).max() <= 1


@pytest.mark.parametrize("beta", [float("inf"), float("nan"), -1.0])
def test_beta_is_a_finite_weight(beta):
    with pytest.raises(ValueError, match=r"beta: got .*, expected a finite number >= 0"):
        Config(beta=beta)

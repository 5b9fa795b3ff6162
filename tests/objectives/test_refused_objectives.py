"""What would broadcast, or be a number of nothing, is refused by name."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.certify import directional_snr, log_prob_by_quadrature, two_latent_vae
from jaxgen.inference import hmc_step, leapfrog, optimize_local, tune_encoder, tune_step_sizes
from jaxgen.models import gan
from jaxgen.nets import MLPCritic, MLPGenerator
from jaxgen.objectives import (
    ElboTerms,
    dragan_penalty,
    elbo,
    feature_matching,
    game_losses,
    info_elbo,
    instance_noise,
    lazy,
    non_saturating,
    output_penalty,
    r1_penalty,
    r2_penalty,
)

ONE, THREE = distrax.Normal(0.0, 1.0), distrax.Normal(jnp.zeros(3), 1.0)
TERMS = ElboTerms(jnp.zeros(2), jnp.zeros(2))
SGD = optax.sgd(0.1)
VAE = two_latent_vae((2, 2, 1))
GAME = gan(MLPGenerator((8,), (2,)), MLPCritic((8,)), latent_size=2, x_shape=(2,))


def key():
    return jax.random.key(0)


def critic(x):
    return jnp.sum(x)


def of_entries(z, *_):
    return -(z**2)


REFUSED = {
    "prior: got a Normal of batch shape": lambda: elbo(key(), lambda z: -z, ONE, THREE),
    "alpha: got 2.0": lambda: info_elbo(TERMS, jnp.zeros(2), alpha=np.float32(2.0), weight=1.0),
    "real_features: got shape": lambda: feature_matching(jnp.zeros((0, 3)), jnp.zeros((2, 3))),
    "scale: got -1.0": lambda: instance_noise(key(), jnp.zeros(2), np.float32(-1.0)),
    "scale: got -2.0": lambda: instance_noise(key(), jnp.zeros(2), jnp.float32(-2.0)),
    "scale: got nan": lambda: dragan_penalty(
        key(), critic, jnp.ones(2), jnp.ones(2), scale=float("nan")
    ),
    "weight: got -1": lambda: lazy(-1.0),
    "penalty_weight: got -1": lambda: game_losses(
        GAME, non_saturating(), penalty=r1_penalty, penalty_weight=-1.0
    ),
    "step_size: got 0.0": lambda: hmc_step(
        key(), critic, jnp.ones(2), step_size=0.0, num_leapfrog_steps=1
    ),
    r"step_size: got shape \(2, 2\)": lambda: leapfrog(
        critic, jnp.ones(2), jnp.ones(2), jnp.ones((2, 2)), 1
    ),
    r"log_density: got shape \(2,\)": lambda: leapfrog(
        of_entries, jnp.ones(2), jnp.ones(2), 0.1, 1
    ),
    r"objective: got shape \(2,\)": lambda: optimize_local(
        key(), of_entries, jnp.ones(2), optax.sgd(0.1), 1
    ),
    "xs: got leading axes": lambda: tune_encoder(
        key(),
        of_entries,
        jnp.ones(2),
        (jnp.ones(3), jnp.ones(4)),
        optax.sgd(0.1),
        num_steps=1,
        batch_size=1,
    ),
    "betas: got 0.5 after 1.0": lambda: tune_step_sizes(
        key(), critic, ONE, (0.0, 1.0, 0.5, 1.0), num_chains=1, num_leapfrog_steps=1
    ),
    "direction: got shapes": lambda: directional_snr(
        lambda key: jax.random.normal(key, (3,)), jnp.ones((1, 3)), key(), 5
    ),
    r"xs: got shape \(1, 2, 2\)": lambda: log_prob_by_quadrature(
        VAE, VAE.init(key()), jnp.zeros((1, 2, 2)), points=3
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_it_is_refused(message):
    with pytest.raises(ValueError, match=message):
        REFUSED[message]()


@pytest.mark.parametrize("penalty", [r1_penalty, r2_penalty, output_penalty, dragan_penalty])
def test_two_sides_of_two_shapes_are_refused(penalty):
    """The side that a penalty does not look at, too."""
    with pytest.raises(ValueError, match="fake: got shape"):
        penalty(key(), critic, jnp.ones(2), jnp.ones((1, 2)))

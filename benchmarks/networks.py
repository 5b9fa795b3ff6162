"""Networks whose gradients are estimated, along their training: two belief networks, two VAEs."""

from __future__ import annotations

from collections.abc import Callable

import distrax
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxgen.certify import Problem
from jaxgen.data import ImageSet
from jaxgen.distributions import Independent
from jaxgen.estimators import Estimator, disarm, leave_one_out, pathwise, score_function
from jaxgen.models import (
    LIKELIHOODS,
    Density,
    LatentVariableModel,
    Observed,
    decoder,
    gaussian_posterior,
    observe,
    standard_normal,
)
from jaxgen.models import vae as vae_of
from jaxgen.nets import MLP
from jaxgen.types import Distribution, Key, Params
from jaxgen.workbench import image_belief_network


def sbn_linear(images: ImageSet, steps: tuple[int, ...]) -> Problem:
    """The belief network of 200 Bernoulli latents, affine both ways."""
    return _belief_network("sbn_linear", (), images, steps)


def sbn_nonlinear(images: ImageSet, steps: tuple[int, ...]) -> Problem:
    """The belief network of 200 Bernoulli latents, two layers of 200 leaky ReLUs each way."""
    return _belief_network("sbn_nonlinear", (200, 200), images, steps)


def _belief_network(
    name: str, hidden: tuple[int, ...], images: ImageSet, steps: tuple[int, ...]
) -> Problem:
    """The ELBO along 200-latent training by DisARM: Dong et al. (2020), at ten times its rate."""
    model = image_belief_network(images.images, hidden, 200)
    rates = {"encoder": "adam", "decoder": "adam", "prior": "sgd"}
    optimizer = optax.partition({"adam": optax.adam(1e-3), "sgd": optax.sgd(1e-1)}, rates)
    parts = tuple(rates)
    return _network(name, model, _without_score, parts, images, steps, optimizer, disarm(4))


def categorical_vae(images: ImageSet, steps: tuple[int, ...]) -> Problem:
    """A VAE of 20 latents of 10 categories, uniform before x; the nets as the Gaussian's."""
    shape = (20, 10)
    model = vae_of(
        Density(lambda key, context: {}, lambda params, context: _one_hots(jnp.zeros(shape))),
        decoder(MLP((200,), shape), _one_hots),  # of z, given x
        _decoder(images),
        latent_size=shape,
        x_shape=images.images.shape[1:],
    )
    guide = score_function(4, baseline=leave_one_out())
    parts = ("encoder", "decoder")
    optimizer = optax.adam(1e-3)
    return _network(
        "categorical_vae", model, _without_score, parts, images, steps, optimizer, guide
    )


def _one_hots(logits: Array) -> Independent:
    return Independent(distrax.OneHotCategorical(logits, dtype=logits.dtype), 1)


def vae(images: ImageSet, steps: tuple[int, ...]) -> Problem:
    """A Gaussian VAE of 20 latents, one layer of 200 ReLUs each way; f holds log q."""
    model = vae_of(
        standard_normal(20),
        gaussian_posterior(MLP((200,), (2, 20)), 20),
        _decoder(images),
        latent_size=20,
        x_shape=images.images.shape[1:],
    )
    parts = ("encoder", "decoder")
    return _network("vae", model, _whole, parts, images, steps, optax.adam(1e-3), pathwise(4))


def _decoder(images: ImageSet) -> Density:
    """One layer of 200 ReLUs to Bernoulli pixels, which start at their means."""
    likelihood = LIKELIHOODS["bernoulli"]
    bias = likelihood.initial_bias(jnp.asarray(images.images.mean(axis=0) / 255, jnp.float32))
    net = MLP((200,), bias.shape, output_bias_init=lambda key, shape, dtype=None: bias)
    return decoder(net, likelihood.distribution)


def _whole(at: Observed) -> tuple[Callable[..., Array], Distribution]:
    return at.log_weight, at.q


def _without_score(at: Observed) -> tuple[Callable[..., Array], Distribution]:
    """E[grad log q] = 0, so the papers leave out the score of the q inside f, and its noise."""
    held = jax.lax.stop_gradient(at.q)
    return lambda z, q=held: at.log_weight(z, q), at.q


def _network(
    name: str,
    model: LatentVariableModel,
    objective: Callable[[Observed], tuple[Callable[..., Array], Distribution]],
    parts: tuple[str, ...],
    images: ImageSet,
    steps: tuple[int, ...],
    optimizer: optax.GradientTransformation,
    guide: Estimator,
    batch_size: int = 50,
) -> Problem:
    pixels = jnp.asarray(images.images)

    def batch(key: Key) -> Array:
        key_indices, key_pixels = jax.random.split(key)
        indices = jax.random.randint(key_indices, (batch_size,), 0, len(pixels))
        return images.prepare(key_pixels, pixels[indices])

    def target(params: Params, x: Array) -> tuple[Callable[..., Array], Distribution]:
        return objective(observe(model, params, x))

    return Problem(
        name,
        jax.jit(model.init)(jax.random.key(0)),
        target,
        batch=batch,
        parts=parts,
        steps=steps,
        optimizer=optimizer,
        guide=guide,
    )


NETWORKS: dict[str, Callable[[ImageSet, tuple[int, ...]], Problem]] = {
    "sbn_linear": sbn_linear,
    "sbn_nonlinear": sbn_nonlinear,
    "categorical_vae": categorical_vae,
    "vae": vae,
}
"""Problems of `(images, steps)`, by name."""

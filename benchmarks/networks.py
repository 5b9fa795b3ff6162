"""Networks whose gradients are estimated: two belief networks and a VAE, along their training."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxgen.certify import Problem, Target
from jaxgen.data import ImageSet
from jaxgen.estimators import Estimator, disarm, pathwise
from jaxgen.models import LIKELIHOODS, LatentVariableModel, gaussian_vae, observe
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

    def target(params: Params, x: Array) -> tuple[Callable[..., Array], Distribution]:
        at = observe(model, params, x)
        # E[grad log q] = 0, so the papers leave out the score of the q inside f, and its noise.
        held = jax.lax.stop_gradient(at.q)
        return lambda z, q=held: at.log_weight(z, q), at.q

    rates = {"encoder": "adam", "decoder": "adam", "prior": "sgd"}
    optimizer = optax.partition({"adam": optax.adam(1e-3), "sgd": optax.sgd(1e-1)}, rates)
    return _network(name, model, target, tuple(rates), images, steps, optimizer, disarm(4))


def vae(images: ImageSet, steps: tuple[int, ...]) -> Problem:
    """A Gaussian VAE of 20 latents, one layer of 200 ReLUs each way; f holds log q."""
    mean = jnp.asarray(images.images.mean(axis=0) / 255, jnp.float32)
    bias = LIKELIHOODS["bernoulli"].initial_bias(mean)
    model = gaussian_vae(
        MLP((200,), (2, 20)),
        MLP((200,), bias.shape, output_bias_init=lambda key, shape, dtype=None: bias),
        LIKELIHOODS["bernoulli"].distribution,
        latent_size=20,
        x_shape=mean.shape,
    )

    def target(params: Params, x: Array) -> tuple[Callable[..., Array], Distribution]:
        at = observe(model, params, x)
        return at.log_weight, at.q

    parts = ("encoder", "decoder")
    return _network("vae", model, target, parts, images, steps, optax.adam(1e-3), pathwise(4))


def _network(
    name: str,
    model: LatentVariableModel,
    target: Target,
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

    params = jax.jit(model.init)(jax.random.key(0))
    return Problem(
        name,
        params,
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
    "vae": vae,
}
"""Problems of `(images, steps)`, by name."""

"""The parts of the VAE recipe that others still import; goes when they stop."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from jaxgen.checks import at_least, one_of
from jaxgen.data import ImageSet, dequantize, load
from jaxgen.models import LIKELIHOODS, LatentVariableModel, gaussian_vae
from jaxgen.nets import MLP, ConvDecoder, ConvEncoder
from jaxgen.objectives import ElboTerms, analytic_kl, elbo, monte_carlo_kl
from jaxgen.train import data_mesh, gradient_step, init_state, replicate, scan_epoch, shard
from jaxgen.types import Info, Key, Loss, Params
from jaxgen.workbench import (
    ImageConfig,
    RunDirectory,
    fit,
    tensorboard,
)

ACTIVATIONS = {"tanh": nn.tanh, "relu": nn.relu}
KLS = {"analytic": analytic_kl, "monte_carlo": monte_carlo_kl}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
    """One variational autoencoder and how it is trained."""

    epochs: int = 300
    batch_size: int = 64
    binarization: Literal["dynamic", "threshold", "none"] | None = None
    """Of gray pixels, for the Bernoulli likelihood (dynamic if not given): a fresh draw each use,
    a cut at one half, or none for a set that is binary already."""
    likelihood: Literal["bernoulli", "gaussian", "discretized_logistic"] = "bernoulli"
    """p(x|z): binary pixels; a density with learned mean and variance; 256 gray levels."""
    architecture: Literal["mlp", "conv"] = "mlp"
    """Networks on both sides."""
    hidden: tuple[int, ...] = (200, 200)
    """Widths of the hidden layers of each MLP."""
    activation: Literal["tanh", "relu"] = "tanh"
    """After every hidden layer."""
    latent_size: int = 16
    """Dimensions of z."""
    kl: Literal["analytic", "monte_carlo"] = "analytic"
    """KL(q || p) in closed form, or estimated at the sample of z."""
    beta: float = 1.0
    """Weight of the KL in the training objective; reported numbers are always at 1."""
    warmup_epochs: int = 0
    """W epochs before that weight is beta: it is beta (i + 1) / (W + 1) in epoch i = 0, 1, ..."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """Of the learning rate: constant, or down to a hundredth along half a cosine."""
    clip_norm: float | None = None
    """Largest norm of a gradient; longer ones are shortened."""
    ema_decay: float | None = None
    """Keep an average of the params with this decay and evaluate that."""
    patience: int | None = None
    """Stop after as many epochs without a better validation ELBO, and use the best epoch."""
    nll_samples: int = 5000
    """Importance samples per test image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("likelihood", self.likelihood, LIKELIHOODS)
        one_of("architecture", self.architecture, ("mlp", "conv"))
        one_of("activation", self.activation, ACTIVATIONS)
        one_of("kl", self.kl, KLS)
        one_of("schedule", self.schedule, ("constant", "cosine"))
        at_least("latent_size", self.latent_size, 1)
        at_least("warmup_epochs", self.warmup_epochs, 0)
        at_least("nll_samples", self.nll_samples, 1)
        for width in self.hidden:
            at_least("hidden", width, 1)
        if self.patience is not None:
            at_least("patience", self.patience, 1)
        if not 0 <= self.beta < float("inf"):
            raise ValueError(f"beta: got {self.beta}, expected a finite number >= 0")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"clip_norm: got {self.clip_norm}, expected a positive number")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise ValueError(f"ema_decay: got {self.ema_decay}, expected a number in (0, 1)")
        if self.likelihood != "bernoulli" and self.binarization not in (None, "none"):
            raise ValueError(
                f"binarization: got {self.binarization!r} with the {self.likelihood} likelihood, "
                "which models gray pixels; expected none"
            )

    @property
    def pixels(self) -> str:
        """The binarization in force."""
        return self.binarization or ("dynamic" if self.likelihood == "bernoulli" else "none")


def load_split(config: Config, split: str) -> ImageSet:
    """Returns one split of the images, binarized as the likelihood needs it."""
    try:
        images = load(config.dataset, split, data_dir=config.data_dir, binarization=config.pixels)
    except ValueError as error:  # what `load` calls its name is --dataset here
        raise ValueError(re.sub("^name:", "dataset:", str(error))) from None
    if config.likelihood == "bernoulli" and config.pixels == "none" and not images.binary:
        raise ValueError(
            f"binarization: got 'none' for the gray pixels of {config.dataset}, which a Bernoulli "
            "likelihood has no probability for; expected dynamic or threshold"
        )
    return images


def prepare(config: Config, images: ImageSet) -> Callable[[Key, Array], Array]:
    """Returns the function from bytes to what the likelihood models."""
    return dequantize if config.likelihood == "gaussian" else images.prepare


def make_model(
    config: Config,
    images: np.ndarray,
    wrap_encoder: Callable[[nn.Module], nn.Module] = lambda encoder: encoder,
) -> LatentVariableModel:
    """Returns the VAE whose untrained decoder says the mean of `images`."""
    likelihood = LIKELIHOODS[config.likelihood]
    x_shape = images.shape[1:]
    bias = likelihood.initial_bias(jnp.asarray(images.mean(axis=0, dtype=np.float64) / 255))
    out_shape = bias.shape

    def output_bias(key: Key, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        return jnp.asarray(bias, dtype)

    activation = ACTIVATIONS[config.activation]
    encoder: nn.Module
    decoder: nn.Module
    if config.architecture == "mlp":
        encoder = MLP(config.hidden, (2, config.latent_size), activation)
        decoder = MLP(config.hidden[::-1], out_shape, activation, output_bias_init=output_bias)
    else:
        encoder = ConvEncoder((2, config.latent_size))
        decoder = ConvDecoder(out_shape, output_bias_init=output_bias)
    return gaussian_vae(
        wrap_encoder(encoder),
        decoder,
        likelihood.distribution,
        latent_size=config.latent_size,
        x_shape=x_shape,
    )


Training = Callable[[RunDirectory, Params, Key, Key, Callable[[int], Any]], Params]
"""`(directory, initial params, key, key of the validation, weights by epoch) -> trained params`."""


def make_training(
    config: Config,
    loss: Callable[[Any], Loss],
    validation_terms: Callable[[Params, Key, Array], Info],
    images: np.ndarray,
    held_out: np.ndarray,
) -> Training:
    """Returns the training that `config` asks for, compiled once for all weights of the loss.

    Args:
      loss: an epoch's weights (that of the KL, for one) to its loss.
      validation_terms: named terms of every held-out image; `elbo` is among them.
      images: to train on.
      held_out: to validate on.
    """
    mesh = data_mesh(config.devices)
    optimizer = make_optimizer(config, len(images) // config.batch_size)

    def one_epoch(state: Any, key: Key, images: Array, weights: Any) -> tuple[Any, Info]:
        update = gradient_step(loss(weights), optimizer, ema_decay=config.ema_decay)
        return scan_epoch(shard(update, mesh), config.batch_size)(state, key, images)

    epoch = jax.jit(one_epoch, donate_argnums=0)
    on_device, held_out_on_device = replicate((images, held_out), mesh)

    @jax.jit
    def validate(params: Params, key: Key, images: Array) -> Info:
        return jax.tree.map(jnp.mean, validation_terms(params, key, images))

    def train(
        out: RunDirectory,
        params: Params,
        key: Key,
        key_validation: Key,
        weights: Callable[[int], Any],
    ) -> Params:
        state = init_state(params, optimizer, ema=config.ema_decay is not None)
        params = fit(
            out,
            replicate(state, mesh),
            lambda state, key, index: epoch(state, key, on_device, weights(index)),
            # The same draws after every epoch: what changes is the model.
            lambda params: validate(params, jax.random.clone(key_validation), held_out_on_device),
            key=key,
            epochs=config.epochs,
            patience=config.patience,
            watch=tensorboard(out.path) if config.tensorboard else None,
        )
        return jax.device_put(params, mesh.devices.flat[0])

    return train


def make_optimizer(config: Config, steps_per_epoch: int) -> optax.GradientTransformation:
    """Returns Adam with the schedule and the clipping asked for."""
    rate: Any = config.learning_rate
    if config.schedule == "cosine":
        rate = optax.cosine_decay_schedule(rate, config.epochs * steps_per_epoch, alpha=0.01)
    clip = optax.identity()
    if config.clip_norm is not None:
        clip = optax.clip_by_global_norm(config.clip_norm)
    return optax.chain(clip, optax.adam(rate))


Terms = Callable[[Params, Key, Array], ElboTerms]


def datapoint_terms(
    model: LatentVariableModel, prepare: Callable[[Key, Array], Array], kl: Any
) -> Terms:
    """Returns `(params, key, bytes of one image) -> its ELBO terms`."""

    def terms(params: Params, key: Key, image: Array) -> ElboTerms:
        key_x, key_z = jax.random.split(key)
        x = prepare(key_x, image)
        q = model.encode(params, x)
        return elbo(
            key_z,
            lambda z: jnp.asarray(model.decode(params, z).log_prob(x)),
            q,
            model.prior(params),
            kl=kl,
        )

    return terms


def batch_terms(terms: Terms, params: Params, key: Key, images: Array) -> Info:
    """Returns the named terms of every image, in nats."""

    def named(key: Key, image: Array) -> Info:
        of_image = terms(params, key, image)
        return {"elbo": of_image.elbo, **of_image._asdict()}

    return jax.vmap(named)(jax.random.split(key, len(images)), images)


def make_loss(terms: Terms, beta: Array) -> Loss:
    """Returns the mean over the batch of -(reconstruction - beta KL)."""

    def loss(params: Params, key: Key, images: Array) -> tuple[Array, Info]:
        info = jax.tree.map(jnp.mean, batch_terms(terms, params, key, images))
        return beta * info["kl"] - info["reconstruction"], info

    return loss


def kl_weight(config: Config, epoch: int) -> Array:
    """Returns beta, or the part of it that `epoch` of the warm-up has reached."""
    return jnp.asarray(config.beta * min(1.0, (epoch + 1) / (config.warmup_epochs + 1)))

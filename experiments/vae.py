"""Variational autoencoder on images: train, evaluate, save and draw.

z ~ N(0, I), an amortized Gaussian posterior, and Bernoulli, Gaussian or discretized logistic pixels
(Kingma & Welling 2014).

  python -m experiments vae

trains on the embedded digits in 15 seconds on two CPU cores: expect a test ELBO of -22.9 nats, an
NLL of 22.6 nats and .51 bits/dim. Statically binarized MNIST, with the one-layer network of Burda
et al. (2016), whose full schedule of 3,280 epochs reaches 88.7 nats:

  python -m experiments vae --dataset binarized_mnist --latent-size 50 --epochs 200 --batch-size 100

measured on two CPU cores: test NLL 90.09 nats (standard error .24, 5,000 importance samples, all
10,000 images), ELBO -95.20, 20 active units, 12 minutes of training and 9 of evaluation on a busy
machine.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from jaxgen.checks import at_least, one_of
from jaxgen.data import ImageSet, dequantize, load
from jaxgen.metrics import active_units, bits_per_dim, kl_per_dimension, log_marginal
from jaxgen.models import LIKELIHOODS, LatentVariableModel, gaussian_vae, observe
from jaxgen.nets import MLP, ConvDecoder, ConvEncoder
from jaxgen.objectives import ElboTerms, analytic_kl, elbo, monte_carlo_kl
from jaxgen.pictures import bars, image_grid, latent_grid, learning_curve, side_by_side
from jaxgen.train import data_mesh, gradient_step, init_state, replicate, scan_epoch, shard
from jaxgen.types import Info, Key, Loss, Params
from jaxgen.workbench import (
    RunDirectory,
    TrainingConfig,
    fit,
    main,
    map_in_blocks,
    new_path,
    open_run,
    print_table,
    require_devices,
    tensorboard,
)

ACTIVATIONS = {"tanh": nn.tanh, "relu": nn.relu}
KLS = {"analytic": analytic_kl, "monte_carlo": monte_carlo_kl}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
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


def run(config: Config) -> dict[str, Any]:
    """Trains the model of `config`; returns what result.json holds."""
    require_devices(config.devices)
    train, validation, test = (load_split(config, s) for s in ("train", "validation", "test"))
    if config.batch_size > len(train.images):
        raise ValueError(
            f"batch_size: got {config.batch_size}, expected at most {len(train.images)}, the "
            f"training images of {config.dataset}"
        )
    model = make_model(config, train.images)
    key_init, key_fit, key_validation, key_test, key_pictures = jax.random.split(
        jax.random.key(config.seed), 5
    )
    params = jax.jit(model.init)(key_init)
    out = open_run(config.run_dir or new_path("vae"), config, resume=config.resume)
    print(f"run directory: {out.path}")

    terms = datapoint_terms(model, prepare(config, train), KLS[config.kl])
    training = make_training(
        config,
        lambda beta: make_loss(terms, beta),
        lambda params, key, images: batch_terms(terms, params, key, images),
        train.images,
        validation.images,
    )
    params = training(out, params, key_fit, key_validation, lambda i: kl_weight(config, i))
    trained = time.monotonic()

    result = evaluate(config, model, terms, params, key_test, test)
    pictures = draw(out, config, model, params, key_pictures, test, result)
    training_seconds = out.metrics()[-1]["seconds"]  # before and after every --resume
    seconds = training_seconds + time.monotonic() - trained
    result |= {"training_seconds": training_seconds, "seconds": seconds}
    out.write_result(result)
    report(config, result, out, pictures)
    return result


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
        at = observe(model, params, prepare(key_x, image))
        return elbo(key_z, at.log_likelihood, at.q, at.prior, kl=kl)

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


def evaluate(
    config: Config,
    model: LatentVariableModel,
    terms: Terms,
    params: Params,
    key: Key,
    test: ImageSet,
) -> dict[str, Any]:
    """Returns the test ELBO and its terms, NLL, bits/dim and the use of the latents."""
    to_x = prepare(config, test)

    @jax.jit
    def numbers(key: Key, images: Array) -> dict[str, Array]:
        key_terms, key_nll = jax.random.split(key)

        def one(indexed: tuple[Array, Array]) -> tuple[Array, Array, Array]:
            index, image = indexed
            key_x, key_z = jax.random.split(jax.random.fold_in(key_nll, index))
            at = observe(model, params, to_x(key_x, image))
            log_px = log_marginal(key_z, at.log_joint, at.q, config.nll_samples)
            return -log_px, at.q.mean(), kl_per_dimension(at.q, at.prior)

        indices = jnp.arange(len(images))
        nll, means, kls = jax.lax.map(one, (indices, images), batch_size=10)
        info = batch_terms(terms, params, key_terms, images)
        return {**info, "nll": nll, "means": means, "kls": kls}

    each = map_in_blocks(numbers, key, test.images, "test NLL")
    dims = test.images[0].size
    bin_width = 1 / 256 if config.likelihood == "gaussian" else 1.0
    nll = float(each["nll"].mean())
    return {
        "test_elbo": float(each["elbo"].mean()),
        "test_nll": nll,
        "test_nll_stderr": float(each["nll"].std(ddof=1) / np.sqrt(len(each["nll"]))),
        "bits_per_dim": float(bits_per_dim(nll, dims, bin_width=bin_width)),
        "active_units": int(active_units(jnp.asarray(each["means"])).sum()),
        "latent_size": config.latent_size,
        "test_reconstruction": float(each["reconstruction"].mean()),
        "test_kl": float(each["kl"].mean()),
        "kl_per_dimension": each["kls"].mean(axis=0).tolist(),
        "test_images": len(test.images),
        "nll_samples": config.nll_samples,
    }


def draw(
    out: RunDirectory,
    config: Config,
    model: LatentVariableModel,
    params: Params,
    key: Key,
    test: ImageSet,
    result: dict[str, Any],
) -> list[str]:
    """Draws samples, reconstructions, the latents and the learning curve; returns the paths."""
    key_prior, key_x = jax.random.split(key)
    # The means of Gaussian pixels may leave [0, 1].
    decode = jax.jit(jax.vmap(lambda z: jnp.clip(model.decode(params, z).mean(), 0, 1)))
    encode = jax.jit(jax.vmap(lambda x: model.encode(params, x).mean()))
    z = model.prior(params).sample(seed=key_prior, sample_shape=(100,))
    gray = test.images[:30] / 255
    x = jax.jit(prepare(config, test))(key_x, test.images[:30])
    curve = {"train_elbo": "train", "validation_elbo": "validation"}
    drawn = {} if np.allclose(x, gray, atol=1 / 255) else {"as drawn": x}
    rows = {"image": gray, **drawn, "reconstructed": decode(encode(x))}
    figures = {
        "samples": image_grid(decode(z), title="E[x|z] for z from the prior"),
        "reconstructions": side_by_side(rows, title="Reconstructions"),
        "learning_curve": learning_curve(out.metrics(), curve),
        "kl_per_dimension": bars(result["kl_per_dimension"]),
    }
    if config.latent_size == 2:
        quantiles = (np.arange(15) + 0.5) / 15
        axis = [NormalDist().inv_cdf(quantile) for quantile in quantiles]
        lattice = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        images = decode(lattice)
        figures["latent_grid"] = latent_grid(
            images.reshape(15, 15, *images.shape[1:]), quantiles.tolist()
        )
    return [str(out.save_picture(name, figure)) for name, figure in figures.items()]


def report(config: Config, result: dict[str, Any], out: RunDirectory, pictures: list[str]) -> None:
    """Prints the table of the result and where everything is."""
    rows = [
        ["ELBO", result["test_elbo"], "nats"],
        ["  reconstruction", result["test_reconstruction"], "nats"],
        ["  KL", result["test_kl"], "nats"],
        [f"NLL ({config.nll_samples} importance samples)", result["test_nll"], "nats"],
        ["bits/dim", result["bits_per_dim"], "bits"],
        ["active units", result["active_units"], f"of {config.latent_size}"],
        ["time", result["seconds"], "seconds"],
    ]
    title = f"VAE on {config.dataset}: {result['test_images']} test images"
    print_table(title, ["quantity", "value", "unit"], rows)
    print("pictures:", *pictures, sep="\n  ")
    print(f"everything: {out.path}")


if __name__ == "__main__":
    main(Config, run)

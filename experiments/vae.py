"""Variational autoencoder on images: train, evaluate, save and draw.

z ~ N(0, I), an amortized Gaussian posterior, and Bernoulli, Gaussian or discretized logistic pixels
(Kingma & Welling 2014).

  python -m experiments vae

trains on the embedded digits in 15 seconds on two CPU cores: expect (one seed) a test ELBO of -22.9
nats, an NLL of 22.6 nats and .51 bits/dim. Statically binarized MNIST, with the one-layer network
of Burda et al. (2016), whose full schedule of 3,280 epochs reaches 88.7 nats:

  python -m experiments vae --dataset binarized_mnist --latent-size 50 --epochs 200 --batch-size 100

measured on two CPU cores, one seed: test NLL 90.09 nats (standard error .24, 5,000 importance
samples, all 10,000 images), ELBO -95.20, 20 active units, 12 minutes of training and 9 of
evaluation on a busy machine.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.data import ImageSet
from jaxgen.metrics import active_units, bits_per_dim, kl_per_dimension, log_marginal
from jaxgen.models import LatentVariableModel, observe
from jaxgen.nets import PRECISIONS, ConvDecoder, ConvEncoder
from jaxgen.objectives import analytic_kl, monte_carlo_kl
from jaxgen.pictures import bars, learning_curve
from jaxgen.train import Update, gradient_step, init_state, mean_over_batch
from jaxgen.types import Key, Params

ACTIVATIONS = {"tanh": nn.tanh, "relu": nn.relu}
KLS = {"analytic": analytic_kl, "monte_carlo": monte_carlo_kl}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.LatentConfig):
    """One variational autoencoder and how it is trained."""

    epochs: wb.Count = 300
    batch_size: wb.Count = 64
    binarization: Literal["auto", "dynamic", "threshold", "none"] = "auto"
    """Of gray pixels, for the Bernoulli likelihood: a fresh draw each use, a cut at one half, or
    none for a set that is binary already; auto is dynamic there, none for other likelihoods."""
    likelihood: Literal["bernoulli", "gaussian", "discretized_logistic"] = "bernoulli"
    """p(x|z): binary pixels; a density with learned mean and variance; the set's gray levels."""
    architecture: Literal["mlp", "conv"] = "mlp"
    """Networks on both sides."""
    activation: Literal["tanh", "relu"] = "tanh"
    """After every hidden layer."""
    kl: Literal["analytic", "monte_carlo"] = "analytic"
    """KL(q || p) in closed form, or estimated at the sample of z."""
    beta: wb.NonNegative = 1.0
    """Weight of the KL in the training objective; reported numbers are always at 1."""
    warmup_epochs: wb.Whole = 0
    """W epochs before that weight is beta: it is beta (i + 1) / (W + 1) in epoch i = 0, 1, ..."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """Of the learning rate: constant, or down to a hundredth along half a cosine."""
    clip_norm: wb.Positive | None = None
    """Largest norm of a gradient; longer ones are shortened."""
    ema_decay: wb.Share | None = None
    """Keep an average of the params with this decay and evaluate that."""
    patience: wb.Count | None = None
    """Stop after as many epochs without a better validation ELBO, and use the best epoch."""
    precision: Literal["float32", "bf16"] = "float32"
    """Of the nets' passes; params, losses and all numbers are in float32."""
    nll_samples: wb.Count = 5000


def run(config: Config) -> dict[str, Any]:
    """Trains the model of `config`; returns what result.json holds."""
    out = wb.begin(config)
    images, validation, test = wb.load_pixels(config, config.likelihood, config.binarization)
    model = make_model(config, images)
    key_init, key_fit, key_judge, key_test, key_pictures = config.keys(5)
    one = wb.negative_elbo(model, images.prepare, kl=KLS[config.kl])
    steps = config.num_steps(len(images.images))
    optimizer = wb.make_optimizer(
        config.learning_rate, steps, schedule=config.schedule, clip_norm=config.clip_norm
    )

    def update(beta: Array) -> Update:
        loss = mean_over_batch(partial(one, beta=beta))
        return gradient_step(loss, optimizer, ema_decay=config.ema_decay)

    params, _ = wb.train(
        out,
        init_state(jax.jit(model.init)(key_init), optimizer, ema=config.ema_decay is not None),
        update,
        images.images,
        wb.judge_by(mean_over_batch(one)),
        key=key_fit,
        judge_key=key_judge,
        held_out=validation.images,
        weights=partial(kl_weight, config),
        patience=config.patience,
    )
    result = evaluate(config, model, one, params, key_test, test)
    curves = {"train_elbo": "train", "validation_elbo": "validation"}
    figures = {
        **wb.draw_vae(key_pictures, model, params, test),
        "learning_curve": learning_curve(out.records(), curves),
        "kl_per_dimension": bars(result["kl_per_dimension"]),
    }
    return out.finish(result, figures, [table(config, result)])


def make_model(config: Config, images: ImageSet) -> LatentVariableModel:
    """Returns the VAE whose untrained decoder says the mean of `images`."""
    size = config.latent_size
    shared = {"likelihood": config.likelihood, "precision": PRECISIONS[config.precision]}
    if config.architecture == "conv":
        return wb.vae_of_nets(images, ConvEncoder((2, size)), ConvDecoder, size, **shared)
    activation = ACTIVATIONS[config.activation]
    return wb.image_vae(images, config.hidden, size, activation=activation, **shared)


def kl_weight(config: Config, epoch: int) -> float:
    """Returns beta, or the part of it that `epoch` of the warm-up has reached."""
    return config.beta * min(1.0, (epoch + 1) / (config.warmup_epochs + 1))


def evaluate(
    config: Config, model: LatentVariableModel, one: Any, params: Params, key: Key, test: ImageSet
) -> dict[str, Any]:
    """Returns the test ELBO and its terms, NLL, bits/dim and the use of the latents."""

    @jax.jit
    def numbers(params: Params, key: Key, images: Array) -> dict[str, Array]:
        key_terms, key_nll = jax.random.split(key)

        def likelihood(indexed: tuple[Array, Array]) -> tuple[Array, Array, Array]:
            key_x, key_z = jax.random.split(jax.random.fold_in(key_nll, indexed[0]))
            at = observe(model, params, test.prepare(key_x, indexed[1]))
            log_px = log_marginal(key_z, at.log_joint, at.q, config.nll_samples)
            return -log_px, at.q.mean(), kl_per_dimension(at.q, at.prior)

        nll, means, kls = jax.lax.map(likelihood, (jnp.arange(len(images)), images), batch_size=10)
        keys = jax.random.split(key_terms, len(images))
        _, terms = jax.vmap(one, (None, 0, 0))(params, keys, images)
        return {**terms, "nll": nll, "means": means, "kls": kls}

    each = wb.map_in_blocks(partial(numbers, params), key, test.images, "test NLL")
    nll = wb.mean_over_images(each["nll"])
    bin_width = 1 / test.levels if config.likelihood == "gaussian" else 1.0
    return {
        "test_elbo": float(each["elbo"].mean()),
        **nll.named("test_nll"),
        "bits_per_dim": float(bits_per_dim(nll.value, test.images[0].size, bin_width=bin_width)),
        "active_units": int(active_units(jnp.asarray(each["means"])).sum()),
        "latent_size": config.latent_size,
        "test_reconstruction": float(each["reconstruction"].mean()),
        "test_kl": float(each["kl"].mean()),
        "kl_per_dimension": each["kls"].mean(axis=0).tolist(),
        "test_images": len(test.images),
        "nll_samples": config.nll_samples,
    }


def table(config: Config, result: dict[str, Any]) -> wb.Table:
    """Returns the table of the result."""
    rows = [
        ["ELBO", result["test_elbo"], "nats"],
        ["  reconstruction", result["test_reconstruction"], "nats"],
        ["  KL", result["test_kl"], "nats"],
        [f"NLL ({config.nll_samples} importance samples)", result["test_nll"], "nats"],
        ["bits/dim", result["bits_per_dim"], "bits"],
        ["active units", result["active_units"], f"of {config.latent_size}"],
    ]
    title = f"VAE on {config.dataset}: {result['test_images']} test images"
    return wb.Table(title, ["quantity", "value", "unit"], rows)


if __name__ == "__main__":
    wb.main(Config, run)

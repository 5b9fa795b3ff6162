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
from functools import partial
from statistics import NormalDist
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxgen.data import ImageSet, dequantize
from jaxgen.metrics import active_units, bits_per_dim, kl_per_dimension, log_marginal
from jaxgen.models import LIKELIHOODS, LatentVariableModel, gaussian_vae, observe
from jaxgen.nets import ConvDecoder, ConvEncoder
from jaxgen.objectives import analytic_kl, monte_carlo_kl
from jaxgen.pictures import bars, image_grid, latent_grid, learning_curve, side_by_side
from jaxgen.train import gradient_step, init_state, mean_over_batch
from jaxgen.types import Key, Params
from jaxgen.workbench import (
    Count,
    LatentConfig,
    NonNegative,
    Positive,
    Share,
    Table,
    Whole,
    begin,
    bias_of_mean,
    constant,
    image_vae,
    judge_by,
    load_images,
    main,
    make_optimizer,
    map_in_blocks,
    mean_over_images,
    negative_elbo,
    train,
)

ACTIVATIONS = {"tanh": nn.tanh, "relu": nn.relu}
KLS = {"analytic": analytic_kl, "monte_carlo": monte_carlo_kl}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(LatentConfig):
    """One variational autoencoder and how it is trained."""

    epochs: Count = 300
    batch_size: Count = 64
    binarization: Literal["auto", "dynamic", "threshold", "none"] = "auto"
    """Of gray pixels, for the Bernoulli likelihood: a fresh draw each use, a cut at one half, or
    none for a set that is binary already; auto is dynamic there, none for other likelihoods."""
    likelihood: Literal["bernoulli", "gaussian", "discretized_logistic"] = "bernoulli"
    """p(x|z): binary pixels; a density with learned mean and variance; 256 gray levels."""
    architecture: Literal["mlp", "conv"] = "mlp"
    """Networks on both sides."""
    activation: Literal["tanh", "relu"] = "tanh"
    """After every hidden layer."""
    kl: Literal["analytic", "monte_carlo"] = "analytic"
    """KL(q || p) in closed form, or estimated at the sample of z."""
    beta: NonNegative = 1.0
    """Weight of the KL in the training objective; reported numbers are always at 1."""
    warmup_epochs: Whole = 0
    """W epochs before that weight is beta: it is beta (i + 1) / (W + 1) in epoch i = 0, 1, ..."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """Of the learning rate: constant, or down to a hundredth along half a cosine."""
    clip_norm: Positive | None = None
    """Largest norm of a gradient; longer ones are shortened."""
    ema_decay: Share | None = None
    """Keep an average of the params with this decay and evaluate that."""
    patience: Count | None = None
    """Stop after as many epochs without a better validation ELBO, and use the best epoch."""
    nll_samples: Count = 5000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.likelihood != "bernoulli" and self.binarization not in ("auto", "none"):
            raise ValueError(
                f"binarization: got {self.binarization!r} with the {self.likelihood} likelihood, "
                "which models gray pixels; expected none"
            )

    @property
    def pixels(self) -> str:
        """The binarization in force."""
        if self.binarization != "auto":
            return self.binarization
        return "dynamic" if self.likelihood == "bernoulli" else "none"


def run(config: Config) -> dict[str, Any]:
    """Trains the model of `config`; returns what result.json holds."""
    out = begin(config)
    images, validation, test = load_images(config, config.pixels)
    if config.likelihood == "bernoulli" and config.pixels == "none" and not images.binary:
        raise ValueError(
            f"binarization: got 'none' for the gray pixels of {config.dataset}, which a Bernoulli "
            "likelihood has no probability for; expected dynamic or threshold"
        )
    model = make_model(config, images)
    key_init, key_fit, key_validation, key_test, key_pictures = jax.random.split(
        jax.random.key(config.seed), 5
    )
    prepare = dequantize if config.likelihood == "gaussian" else images.prepare
    one = negative_elbo(model, prepare, kl=KLS[config.kl])
    optimizer = make_optimizer(
        config.learning_rate,
        config.num_updates(images.images),
        schedule=config.schedule,
        clip_norm=config.clip_norm,
    )

    def step(beta: Array) -> Any:
        loss = mean_over_batch(partial(one, beta=beta))
        return gradient_step(loss, optimizer, ema_decay=config.ema_decay)

    params, _ = train(
        out,
        init_state(jax.jit(model.init)(key_init), optimizer, ema=config.ema_decay is not None),
        step,
        images.images,
        judge_by(one),
        key=key_fit,
        judge_key=key_validation,
        held_out=validation.images,
        weights=partial(kl_weight, config),
        patience=config.patience,
    )
    result = evaluate(config, model, one, params, key_test, test)
    figures = draw(config, model, params, key_pictures, test, result)
    curve = {"train_elbo": "train", "validation_elbo": "validation"}
    figures["learning_curve"] = learning_curve(out.records(), curve)
    return out.finish(result, figures, [report(config, result)])


def make_model(config: Config, images: ImageSet) -> LatentVariableModel:
    """Returns the VAE whose untrained decoder says the mean of `images`."""
    if config.architecture == "mlp":
        return image_vae(
            images.images,
            config.hidden,
            config.latent_size,
            likelihood=config.likelihood,
            activation=ACTIVATIONS[config.activation],
        )
    likelihood = LIKELIHOODS[config.likelihood]
    bias = bias_of_mean(likelihood, images.images)
    return gaussian_vae(
        ConvEncoder((2, config.latent_size)),
        ConvDecoder(bias.shape, output_bias_init=constant(bias)),
        likelihood.distribution,
        latent_size=config.latent_size,
        x_shape=images.images.shape[1:],
    )


def kl_weight(config: Config, epoch: int) -> float:
    """Returns beta, or the part of it that `epoch` of the warm-up has reached."""
    return config.beta * min(1.0, (epoch + 1) / (config.warmup_epochs + 1))


def evaluate(
    config: Config, model: LatentVariableModel, one: Any, params: Params, key: Key, test: ImageSet
) -> dict[str, Any]:
    """Returns the test ELBO and its terms, NLL, bits/dim and the use of the latents."""
    prepare = dequantize if config.likelihood == "gaussian" else test.prepare

    @jax.jit
    def numbers(key: Key, images: Array) -> dict[str, Array]:
        key_terms, key_nll = jax.random.split(key)

        def likelihood(indexed: tuple[Array, Array]) -> tuple[Array, Array, Array]:
            key_x, key_z = jax.random.split(jax.random.fold_in(key_nll, indexed[0]))
            at = observe(model, params, prepare(key_x, indexed[1]))
            log_px = log_marginal(key_z, at.log_joint, at.q, config.nll_samples)
            return -log_px, at.q.mean(), kl_per_dimension(at.q, at.prior)

        indices = jnp.arange(len(images))
        nll, means, kls = jax.lax.map(likelihood, (indices, images), batch_size=10)
        keys = jax.random.split(key_terms, len(images))
        _, terms = jax.vmap(one, (None, 0, 0))(params, keys, images)
        return {**terms, "nll": nll, "means": means, "kls": kls}

    each = map_in_blocks(numbers, key, test.images, "test NLL")
    nll = mean_over_images(each["nll"])
    bin_width = 1 / 256 if config.likelihood == "gaussian" else 1.0
    return {
        "test_elbo": float(each["elbo"].mean()),
        "test_nll": nll.value,
        "test_nll_stderr": nll.stderr,
        "bits_per_dim": float(bits_per_dim(nll.value, test.images[0].size, bin_width=bin_width)),
        "active_units": int(active_units(jnp.asarray(each["means"])).sum()),
        "latent_size": config.latent_size,
        "test_reconstruction": float(each["reconstruction"].mean()),
        "test_kl": float(each["kl"].mean()),
        "kl_per_dimension": each["kls"].mean(axis=0).tolist(),
        "test_images": len(test.images),
        "nll_samples": config.nll_samples,
    }


def draw(
    config: Config,
    model: LatentVariableModel,
    params: Params,
    key: Key,
    test: ImageSet,
    result: dict[str, Any],
) -> dict[str, Any]:
    """Returns samples, reconstructions and the latents, drawn."""
    key_prior, key_x = jax.random.split(key)
    # The means of Gaussian pixels may leave [0, 1].
    decode = jax.jit(jax.vmap(lambda z: jnp.clip(model.decode(params, z).mean(), 0, 1)))
    encode = jax.jit(jax.vmap(lambda x: model.encode(params, x).mean()))
    z = model.prior(params).sample(seed=key_prior, sample_shape=(100,))
    gray = test.images[:30] / 255
    prepare = dequantize if config.likelihood == "gaussian" else test.prepare
    x = jax.jit(prepare)(key_x, test.images[:30])
    drawn = {} if np.allclose(x, gray, atol=1 / 255) else {"as drawn": x}
    rows = {"image": gray, **drawn, "reconstructed": decode(encode(x))}
    figures = {
        "samples": image_grid(decode(z), title="E[x|z] for z from the prior"),
        "reconstructions": side_by_side(rows, title="Reconstructions"),
        "kl_per_dimension": bars(result["kl_per_dimension"]),
    }
    if config.latent_size == 2:
        quantiles = (np.arange(15) + 0.5) / 15
        axis = [NormalDist().inv_cdf(quantile) for quantile in quantiles]
        lattice = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        images = decode(lattice)
        images = images.reshape(15, 15, *images.shape[1:])
        figures["latent_grid"] = latent_grid(images, quantiles.tolist())
    return figures


def report(config: Config, result: dict[str, Any]) -> Table:
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
    return Table(title, ["quantity", "value", "unit"], rows)


if __name__ == "__main__":
    main(Config, run)

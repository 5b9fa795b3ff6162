"""Importance-weighted autoencoder: any bound, by any gradient, with K samples, compared.

A VAE is trained from one start for every pair of gradient and K, on the same images in the same
order, and judged by the same importance samples. Then what tells the gradients apart: the
signal-to-noise ratio of the encoder's gradient against K, of the last model. For IWAE and K large
that of the pathwise gradient falls as 1 / sqrt(K), and that of the doubly reparameterized one rises
as sqrt(K). Of the other gradients, sticking_the_landing is biased for K > 1, and
reweighted_wake_sleep fits the encoder to the posterior's samples.
(Burda et al. 2016; Li & Turner 2016; Rainforth et al. 2018; Tucker et al. 2019.)

  python -m experiments iwae

Expect (one seed) of the digits, in about a minute on two CPU cores, an NLL of 23.84 nats by the
pathwise gradient with one sample and 23.65 with five, 23.77 and 23.52 by the doubly reparameterized
one, and slopes of log signal-to-noise ratio in log K of -.36 and +.08. Statically binarized MNIST:

  python -m experiments iwae --dataset binarized_mnist --latent-size 50 --batch-size 100 --epochs 25

gave 97.63 and 96.90 nats at K = 1, 95.47 and 95.00 at K = 5 (differences ± .04), each in 1 to 8
minutes on two busy CPU cores, with 9 of evaluation; 3,280 epochs reach 88.71 and 87.63.
"""

from __future__ import annotations

import dataclasses
import itertools
from functools import partial
from typing import Annotated, Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.bounds import BOUNDS, ELBO, IWAE
from jaxgen.certify import signal_to_noise
from jaxgen.data import ImageSet
from jaxgen.estimators import Estimator, MakeEstimator, pathwise
from jaxgen.metrics import active_units, log_marginal
from jaxgen.models import LatentVariableModel, observe
from jaxgen.numerics import effective_sample_size
from jaxgen.objectives import GRADIENTS, log_importance_weights
from jaxgen.pictures import against_count, learning_curve
from jaxgen.train import gradient_step, init_state, mean_over_batch
from jaxgen.types import Key, Loss, Params

NATS = "bound (nats per image)"
WEIGHTS = 100  # importance weights per test image, for the ELBO and the effective sample size
SNR_IMAGES, SNR_DRAWS = 16, 100  # images whose gradients are drawn, and how often each
Gradient: TypeAlias = Literal[
    "pathwise",
    "sticking_the_landing",
    "doubly_reparameterized",
    "generalized_doubly_reparameterized",
    "score_function",
    "vimco",
    "ovis",
    "reweighted_wake_sleep",
]
NO_OR_MANY = wb.Rule(
    lambda counts: len(counts) == len(set(counts)) != 1, "none, or two or more", True
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.LatentConfig):
    """A bound, the gradients to climb it by, and the numbers of samples."""

    epochs: wb.Count = 50
    batch_size: wb.Count = 64
    bound: Literal["iwae", "elbo", "renyi", "chi", "vr-max"] = "iwae"
    """Of several samples; renyi has alpha = 1/2."""
    gradients: Annotated[tuple[Gradient, ...], wb.SEVERAL] = ("pathwise", "doubly_reparameterized")
    """Of the bound; keys of `jaxgen.objectives.GRADIENTS`."""
    samples: Annotated[tuple[wb.Count, ...], wb.SEVERAL] = (1, 5)
    """K in training, each with each gradient."""
    binarization: Literal["dynamic", "threshold", "none"] = "dynamic"
    """Of gray pixels: a fresh draw each use, a cut at one half, or none for a binary set."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """Of the learning rate: constant, or down to a hundredth along half a cosine."""
    snr_samples: Annotated[tuple[wb.Count, ...], NO_OR_MANY] = (1, 4, 16, 64)
    """K at which the encoder's gradient is drawn, with each gradient; none to leave that out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, gradient in itertools.product(("samples", "snr_samples"), self.gradients):
            for count in getattr(self, name):
                with wb.renamed("num_samples", name, gradient):
                    self.estimators[gradient](count)

    @property
    def estimators(self) -> dict[str, MakeEstimator]:
        """By gradient, the estimator of the bound of so many samples."""
        return {name: partial(GRADIENTS[name], bound=BOUNDS[self.bound]) for name in self.gradients}


def run(config: Config) -> dict[str, Any]:
    """Trains by every gradient with every K; returns what result.json holds."""
    out = wb.begin(config)
    images, validation, test = wb.load_pixels(config, binarization=config.binarization)
    model = wb.image_vae(images, config.hidden, config.latent_size)
    key_init, key_fit, key_judge, key_test, key_snr = config.keys(5)
    start = jax.jit(model.init)(key_init)
    num_steps = config.num_steps(len(images.images))
    optimizer = wb.make_optimizer(config.learning_rate, num_steps, schedule=config.schedule)
    measure = make_measure(config, model, test)

    def loss(estimator: Estimator) -> Loss:
        return mean_over_batch(wb.negative_bound(model, images.prepare, estimator))

    judge = wb.judge_by(loss(pathwise(max(config.samples), bound=IWAE)))
    # The same draws for all: what differs is the gradient.
    shared: Any = {"key": key_fit, "judge_key": key_judge, "held_out": validation.images}

    def one(part: wb.Run, estimator: Estimator) -> tuple[Params, dict[str, Any]]:
        state, update = init_state(start, optimizer), gradient_step(loss(estimator), optimizer)
        params, _ = wb.train(part, state, update, images.images, judge, monitor="bound", **shared)
        key = jax.random.clone(key_test)
        return params, wb.map_in_blocks(partial(measure, params), key, test.images, part.title)

    cells = {f"{g}_{k}": (g, k) for k in config.samples for g in config.gradients}
    estimators = {name: config.estimators[g](k) for name, (g, k) in cells.items()}
    swept = wb.sweep(out, estimators, one)
    first, *_, last = (swept[name] for name in cells)
    result: dict[str, Any] = {"bound": config.bound, "cells": []}
    for name, (gradient, samples) in cells.items():
        cell = {"gradient": gradient, "samples": samples, "unbiased": estimators[name].unbiased}
        cell |= summary(swept[name][1], first[1], config.samples.index(samples))
        result["cells"].append({**cell, "training_seconds": swept.seconds[name]})
    title = f"Validation IWAE bound at K = {max(config.samples)}, trained by {config.bound}"
    labels = {name: f"{g.replace('_', ' ')}, K = {k}" for name, (g, k) in cells.items()}
    curves = swept.curves("validation_bound")
    figures = {"learning_curves": learning_curve(curves, labels, ylabel=NATS, title=title)}
    if config.snr_samples:
        numbers, figures["signal_to_noise"] = encoder_snr(config, model, last[0], key_snr, test)
        result |= numbers
    return out.finish(result, figures, report(config, result))


def make_measure(config: Config, model: LatentVariableModel, images: ImageSet) -> Any:
    """Returns what is measured of each test image, in nats."""

    def one(params: Params, key: Key, image: Array) -> dict[str, Array]:
        key_x, key_weights, key_bound, key_nll = jax.random.split(key, 4)
        at = observe(model, params, images.prepare(key_x, image))
        log_weights = log_importance_weights(key_weights, at.log_joint, at.q, WEIGHTS)
        of_bound = log_importance_weights(key_bound, at.log_joint, at.q, max(config.samples))
        iwae = jnp.stack([IWAE(of_bound[:count]) for count in config.samples])
        nll = -log_marginal(key_nll, at.log_joint, at.q, config.nll_samples)
        elbo, ess = ELBO(log_weights), effective_sample_size(log_weights)
        return {"elbo": elbo, "ess": ess, "iwae": iwae, "nll": nll, "mean": at.q.mean()}

    return wb.image_by_image(one)


def summary(each: dict[str, Any], first: dict[str, Any], column: int) -> dict[str, Any]:
    """Returns the means over test images, in nats; `first` is what the first cell measured."""
    return {
        "test_elbo": each["elbo"].mean(),
        "test_iwae": each["iwae"][:, column].mean(),
        **wb.mean_over_images(each["nll"]).named("test_nll"),
        **wb.mean_over_images(each["nll"] - first["nll"]).named("test_nll_less_first"),
        "active_units": int(active_units(jnp.asarray(each["mean"], jnp.float32)).sum()),
        "ess": each["ess"].mean(),
        "test_images": len(each["nll"]),
    }


def encoder_snr(
    config: Config, model: LatentVariableModel, params: Params, key: Key, images: ImageSet
) -> tuple[dict[str, Any], Any]:
    """Returns the signal-to-noise ratios of the encoder's gradient with their slopes, and drawn."""

    def target(encoder: Params, x: Array) -> Any:
        at = observe(model, {**params, "encoder": encoder}, x)
        return at.log_weight, at.q

    key_x, key_draws = jax.random.split(key)
    xs = jax.jit(images.prepare)(key_x, jnp.asarray(images.images[:SNR_IMAGES]))
    counts, estimators = config.snr_samples, [*config.estimators.values()]
    measure = jax.jit(partial(signal_to_noise, target, estimators, counts, SNR_DRAWS))
    found = measure(params["encoder"], key_draws, xs)
    ratios, slopes = (dict(zip(config.gradients, of.tolist(), strict=True)) for of in found)
    figure = against_count(
        counts,
        {f"{name.replace('_', ' ')}: slope {slopes[name]:.2f}": of for name, of in ratios.items()},
        yscale="log",
        xlabel="samples K",
        ylabel="|E g| / sqrt(tr Cov g)",
        title=f"Signal-to-noise ratio of the encoder's gradient of {config.bound}",
    )
    return {"snr_samples": counts, "snr": ratios, "snr_slopes": slopes}, figure


def report(config: Config, result: dict[str, Any]) -> list[wb.Table]:
    """Returns the comparison and the slopes."""
    numbers = {"K": "samples", "unbiased": "unbiased", "ELBO": "test_elbo", "IWAE": "test_iwae"}
    numbers |= {"NLL": "test_nll", "less the first's": "test_nll_less_first"}
    numbers |= {"±": "test_nll_less_first_stderr", "active units": "active_units", "ESS": "ess"}
    rows = [[of["gradient"], *(of[key] for key in numbers.values())] for of in result["cells"]]
    title = f"{config.epochs} epochs of {config.bound} on {config.dataset}: nats per test image"
    tables = [wb.Table(title, ["gradient", *numbers], rows)]
    if config.snr_samples:
        columns = ["gradient", *(f"K = {k}" for k in config.snr_samples), "slope"]
        rows = [[name, *of, result["snr_slopes"][name]] for name, of in result["snr"].items()]
        tables.append(wb.Table("Signal-to-noise ratio of the encoder's gradient", columns, rows))
    return tables


if __name__ == "__main__":
    wb.main(Config, run)

"""Importance-weighted autoencoder: any bound, by any gradient, with K samples, compared.

The VAE recipe's Bernoulli model, trained from one start for every pair of gradient and K: the same
images in the same order, for equally many epochs, each judged by the same importance samples. Then
what tells the gradients apart: the signal-to-noise ratio of the encoder's gradient against K, here
of the last model. For IWAE and K large that of the pathwise gradient falls as 1 / sqrt(K) and that
of the doubly reparameterized one rises as sqrt(K). Other bounds: --bound renyi, vr-max, elbo; other
gradients: sticking_the_landing (biased for K > 1), vimco, score_function.
(Burda et al. 2016; Li & Turner 2016; Rainforth et al. 2018; Tucker et al. 2019.)

  python -m experiments iwae

Expect of the digits, in about a minute on two CPU cores, an NLL of 23.84 nats by the pathwise
gradient with one sample and 23.65 with five, 23.77 and 23.52 by the doubly reparameterized one,
and slopes of log signal-to-noise ratio in log K of -.39 and +.06. Statically binarized MNIST with
the one-layer network of Burda et al.:

  python -m experiments iwae --dataset binarized_mnist --latent-size 50 --batch-size 100 --epochs 25

measured on two busy CPU cores, in nats on all 10,000 test images, with 1,000 importance samples:

  gradient                K     ELBO     NLL   NLL less the first's   active units   training
  pathwise                1  -102.15   97.63                                    22       139 s
  doubly reparameterized  1  -101.34   96.90           -0.72 ± 0.03             27        76 s
  pathwise                5  -102.49   95.47           -2.16 ± 0.04             25       130 s
  doubly reparameterized  5  -101.82   95.00           -2.63 ± 0.04             34       476 s

with 9 minutes of evaluation; how busy the cores were shows in the last column more than the method.
The full schedule of 3,280 epochs reaches 88.71 nats at K = 1 and 87.63 at K = 5.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from experiments import _old_vae as vae
from jaxgen.bounds import BOUNDS, ELBO, IWAE
from jaxgen.checks import one_of
from jaxgen.data import ImageSet
from jaxgen.estimators import Estimator
from jaxgen.metrics import active_units, log_marginal
from jaxgen.models import LatentVariableModel, observe
from jaxgen.numerics import effective_sample_size
from jaxgen.objectives import GRADIENTS, log_importance_weights
from jaxgen.pictures import against_count, learning_curve
from jaxgen.types import Info, Key, Loss, Params
from jaxgen.workbench import (
    ImageConfig,
    RunDirectory,
    main,
    map_in_blocks,
    new_path,
    open_run,
    print_table,
    progress,
    require_devices,
)

WEIGHTS = 100
"""Importance weights per test image for the ELBO and the effective sample size."""
NATS = "bound (nats per image)"
SNR_IMAGES, SNR_DRAWS = 16, 100
"""Images whose gradients are drawn, and how often each."""


class Cell(NamedTuple):
    """One training: a gradient of the bound and its number of samples K."""

    gradient: str
    samples: int

    @property
    def name(self) -> str:
        """As its directory is called."""
        return f"{self.gradient}_{self.samples}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
    """A bound, the gradients to climb it by, and the numbers of samples."""

    epochs: int = 50
    batch_size: int = 64
    bound: Literal["iwae", "elbo", "renyi", "chi", "vr-max"] = "iwae"
    """Of several samples; renyi has alpha = 1/2."""
    gradients: tuple[str, ...] = ("pathwise", "doubly_reparameterized")
    """pathwise, sticking_the_landing, doubly_reparameterized, score_function, vimco."""
    samples: tuple[int, ...] = (1, 5)
    """K in training, each with each gradient."""
    binarization: Literal["dynamic", "threshold", "none"] = "dynamic"
    """Of gray pixels: a fresh draw each use, a cut at one half, or none for a binary set."""
    hidden: tuple[int, ...] = (200, 200)
    """Widths of the hidden layers on each side, each followed by tanh."""
    latent_size: int = 16
    """Dimensions of z."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """Of the learning rate: constant, or down to a hundredth along half a cosine."""
    nll_samples: int = 1000
    """Importance samples per test image."""
    snr_samples: tuple[int, ...] = (1, 4, 16, 64)
    """K at which the encoder's gradient is drawn, with each gradient; none to leave that out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("gradients", 1), ("samples", 1), ("snr_samples", 0)):
            values = getattr(self, name)
            if len(values) < least or len(set(values)) < len(values):
                raise ValueError(f"{name}: got {values}, expected one or more, each once")
        if len(self.snr_samples) == 1:
            raise ValueError(
                f"snr_samples: got {self.snr_samples}, expected none, or two or more for a slope"
            )
        one_of("bound", self.bound, BOUNDS)
        for gradient in self.gradients:
            one_of("gradients", gradient, GRADIENTS)
            for name in ("samples", "snr_samples"):
                for count in getattr(self, name):
                    try:
                        make_estimator(self, Cell(gradient, count))
                    except ValueError as error:  # the estimator's argument is this recipe's flag
                        message = re.sub("^num_samples:", f"{name}:", str(error))
                        raise ValueError(f"{message} ({gradient})") from None
        assert self.vae_config

    @property
    def vae_config(self) -> vae.Config:
        """The VAE recipe's configuration of the same model and training."""
        names = {field.name for field in dataclasses.fields(vae.Config)}
        own = {k: v for k, v in dataclasses.asdict(self).items() if k in names}
        return vae.Config(**own)

    @property
    def cells(self) -> list[Cell]:
        """The trainings, in turn."""
        return [Cell(gradient, count) for count in self.samples for gradient in self.gradients]


def make_estimator(config: Config, cell: Cell) -> Estimator:
    """Returns the estimator of the bound's gradient."""
    return GRADIENTS[cell.gradient](cell.samples, bound=BOUNDS[config.bound])


def run(config: Config) -> dict[str, Any]:
    """Trains each cell of `config`; returns what result.json holds."""
    begun = time.monotonic()
    require_devices(config.devices)
    splits = [vae.load_split(config.vae_config, name) for name in ("train", "validation", "test")]
    train, validation, test = splits
    if config.batch_size > len(train.images):
        raise ValueError(
            f"batch_size: got {config.batch_size}, expected at most {len(train.images)}, the "
            f"training images of {config.dataset}"
        )
    model = vae.make_model(config.vae_config, train.images)
    key_init, key_fit, key_validation, key_test, key_snr = jax.random.split(
        jax.random.key(config.seed), 5
    )
    start = jax.jit(model.init)(key_init)
    out = open_run(config.run_dir or new_path("iwae"), config, resume=config.resume)
    print(f"run directory: {out.path}")

    measure = make_measure(config, model, test)
    params = start
    each: list[dict[str, np.ndarray]] = []
    cells: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    for cell in config.cells:
        estimator = make_estimator(config, cell)
        loss = make_loss(model, train, estimator)
        training = vae.make_training(
            config.vae_config,
            lambda _, loss=loss: loss,
            validation_terms(model, validation, max(config.samples)),
            train.images,
            validation.images,
        )
        with out.part(cell.name) as part:
            # The same draws for all: what differs is the gradient.
            clones = jax.random.clone(key_fit), jax.random.clone(key_validation)
            params = training(part, start, *clones, lambda _: ())
        key = jax.random.clone(key_test)
        each.append(map_in_blocks(partial(measure, params), key, test.images, cell.name))
        records = part.metrics()
        numbers = summary(config, cell, each[-1], each[0])
        cells.append(
            {**cell._asdict(), "unbiased": estimator.unbiased, **numbers}
            | {"training_seconds": records[-1]["seconds"]}
        )
        curves += [{"epoch": r["epoch"], cell.name: r["validation_iwae"]} for r in records]

    result: dict[str, Any] = {"bound": config.bound, "cells": cells}
    most = max(config.samples)
    title = f"Validation IWAE bound at K = {most}, trained by {config.bound}"
    names = {c.name: f"{c.gradient.replace('_', ' ')}, K = {c.samples}" for c in config.cells}
    figures = {"learning_curves": learning_curve(curves, names, ylabel=NATS, title=title)}
    if config.snr_samples:  # of the last cell's model
        x = jax.jit(test.prepare)(key_init, jnp.asarray(test.images[:SNR_IMAGES]))
        result |= signal_to_noise(config, model, params, key_snr, x)
        figures["signal_to_noise"] = draw_snr(config, result)
    pictures = [str(out.save_picture(name, figure)) for name, figure in figures.items()]
    result["seconds"] = time.monotonic() - begun
    out.write_result(result)
    report(config, result, out, pictures)
    return result


def make_loss(model: LatentVariableModel, images: ImageSet, estimator: Estimator) -> Loss:
    """Returns minus the bound, in nats, averaged over the images of a batch."""

    def loss(params: Params, key: Key, batch: Array) -> tuple[Array, Info]:
        def one(key: Key, image: Array) -> tuple[Array, Array]:
            key_x, key_z = jax.random.split(key)
            return bound_of(model, estimator, params, key_z, images.prepare(key_x, image))

        surrogates, log_weights = jax.vmap(one)(jax.random.split(key, len(batch)), batch)
        bound = jnp.mean(surrogates)
        ess = jnp.mean(jax.vmap(effective_sample_size)(log_weights))
        return -bound, {"bound": bound, "elbo": jnp.mean(log_weights), "ess": ess}

    return loss


def bound_of(
    model: LatentVariableModel, estimator: Estimator, params: Params, key: Key, x: Array
) -> tuple[Array, Array]:
    """Returns one datapoint's surrogate and its log weights."""
    at = observe(model, params, x)
    surrogate, estimate = estimator.apply((), key, at.log_weight, at.q)
    return surrogate, estimate.values


def validation_terms(
    model: LatentVariableModel, images: ImageSet, samples: int
) -> Callable[[Params, Key, Array], Info]:
    """Returns `(params, key, images) -> ` the ELBO and the IWAE bound of each, in nats."""

    def terms(params: Params, key: Key, batch: Array) -> Info:
        def one(key: Key, image: Array) -> Info:
            key_x, key_z = jax.random.split(key)
            at = observe(model, params, images.prepare(key_x, image))
            log_weights = log_importance_weights(key_z, at.log_joint, at.q, samples)
            return {"elbo": ELBO(log_weights), "iwae": IWAE(log_weights)}

        return jax.vmap(one)(jax.random.split(key, len(batch)), batch)

    return terms


def make_measure(
    config: Config, model: LatentVariableModel, images: ImageSet
) -> Callable[[Params, Key, Array], dict[str, Array]]:
    """Returns what is computed of every test image, in nats, compiled once for all cells."""

    @jax.jit
    def measure(params: Params, key: Key, batch: Array) -> dict[str, Array]:
        def one(of: tuple[Key, Array]) -> dict[str, Array]:
            key_x, key_weights, key_bound, key_nll = jax.random.split(of[0], 4)
            at = observe(model, params, images.prepare(key_x, of[1]))
            log_weights = log_importance_weights(key_weights, at.log_joint, at.q, WEIGHTS)
            of_bound = log_importance_weights(key_bound, at.log_joint, at.q, max(config.samples))
            return {
                "elbo": ELBO(log_weights),
                "ess": effective_sample_size(log_weights),
                "iwae": jnp.stack([IWAE(of_bound[:count]) for count in config.samples]),
                "nll": -log_marginal(key_nll, at.log_joint, at.q, config.nll_samples),
                "mean": at.q.mean(),
            }

        return jax.lax.map(one, (jax.random.split(key, len(batch)), batch), batch_size=10)

    return measure


def summary(
    config: Config, cell: Cell, each: dict[str, np.ndarray], first: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Returns the means over test images, in nats; `first` is what the first cell measured.

    The standard error of a difference is of the images alone: another seed moves it more.
    """
    count = len(each["nll"])
    difference = each["nll"] - first["nll"]
    return {
        "test_elbo": each["elbo"].mean(),
        "test_iwae": each["iwae"][:, config.samples.index(cell.samples)].mean(),
        "test_nll": each["nll"].mean(),
        "test_nll_stderr": each["nll"].std(ddof=1) / np.sqrt(count),
        "test_nll_less_first": difference.mean(),
        "test_nll_less_first_stderr": difference.std(ddof=1) / np.sqrt(count),
        "active_units": int(active_units(jnp.asarray(each["mean"], jnp.float32)).sum()),
        "ess": each["ess"].mean(),
        "test_images": count,
    }


def signal_to_noise(
    config: Config, model: LatentVariableModel, params: Params, key: Key, x: Array
) -> dict[str, Any]:
    """Returns by gradient the signal-to-noise ratio of the encoder's at each K, and its slope.

    The ratio is |E g| / sqrt(tr Cov g) of the gradient g of one image's bound; its median over the
    images x is returned. Unbiased gradients share their mean, so it is taken from the least noisy.
    The slope is that of the logarithms.
    """
    rows = []
    with progress(len(config.gradients) * len(config.snr_samples), unit="ratio") as advance:
        for i, count in enumerate(config.snr_samples):
            estimators = [make_estimator(config, Cell(name, count)) for name in config.gradients]
            moments = []
            for name, estimator in zip(config.gradients, estimators, strict=True):
                key_count = jax.random.fold_in(key, i)
                moments.append(encoder_moments(model, estimator, params, key_count, x))
                advance(1, f"{name}, K = {count}")
            signals, noises = np.moveaxis(np.array(moments), 1, 0)
            unbiased = np.array([[estimator.unbiased] for estimator in estimators])
            quietest = np.argmin(np.where(unbiased, noises, np.inf), axis=0)
            shared = np.take_along_axis(signals, quietest[None], axis=0)
            squares = np.maximum(np.where(unbiased, shared, signals), 0) / noises
            rows.append(np.sqrt(np.median(squares, axis=1)))
    ratios = dict(zip(config.gradients, np.transpose(rows).tolist(), strict=True))
    logs = np.log(config.snr_samples)
    slopes = {name: np.polyfit(logs, np.log(values), 1)[0] for name, values in ratios.items()}
    return {"snr_samples": config.snr_samples, "snr": ratios, "snr_slopes": slopes}


def encoder_moments(
    model: LatentVariableModel, estimator: Estimator, params: Params, key: Key, x: Array
) -> tuple[Array, Array]:
    """Returns |E g|² and tr Cov g of each image's gradient in the encoder, without bias."""

    @jax.jit
    def moments(params: Params, key: Key, x: Array) -> tuple[Array, Array]:
        def one(key: Key, x: Array) -> Array:
            def bound(encoder: Params) -> Array:
                return bound_of(model, estimator, {**params, "encoder": encoder}, key, x)[0]

            return ravel_pytree(jax.grad(bound)(params["encoder"]))[0]

        def draw(sums: tuple[Array, Array], index: Array) -> tuple[tuple[Array, Array], None]:
            keys = jax.random.split(jax.random.fold_in(key, index), len(x))
            gradients = jax.vmap(one)(keys, x)
            return (sums[0] + gradients, sums[1] + jnp.sum(gradients**2, axis=1)), None

        size = ravel_pytree(params["encoder"])[0].size
        start = jnp.zeros((len(x), size)), jnp.zeros(len(x))
        (total, squares), _ = jax.lax.scan(draw, start, jnp.arange(SNR_DRAWS))
        mean_square = jnp.sum((total / SNR_DRAWS) ** 2, axis=1)
        noise = (squares / SNR_DRAWS - mean_square) * SNR_DRAWS / (SNR_DRAWS - 1)
        return mean_square - noise / SNR_DRAWS, noise

    return moments(params, key, x)


def draw_snr(config: Config, result: dict[str, Any]) -> Any:
    """Returns the ratios against K, with the slope of each in its name."""
    return against_count(
        config.snr_samples,
        {
            f"{name.replace('_', ' ')}: slope {result['snr_slopes'][name]:.2f}": values
            for name, values in result["snr"].items()
        },
        yscale="log",
        xlabel="samples K",
        ylabel="|E g| / sqrt(tr Cov g)",
        title=f"Signal-to-noise ratio of the encoder's gradient of {config.bound}",
    )


def report(config: Config, result: dict[str, Any], out: RunDirectory, pictures: list[str]) -> None:
    """Prints the comparison, the slopes and where everything is."""
    columns = ["gradient", "K", "ELBO", "IWAE at K", "NLL", "less first", "units", "ESS"]
    rows = [
        [
            cell["gradient"].replace("_", " ") + ("" if cell["unbiased"] else " (biased)"),
            cell["samples"],
            *(f"{cell[of]:.2f}" for of in ("test_elbo", "test_iwae", "test_nll")),
            f"{cell['test_nll_less_first']:.2f} ± {cell['test_nll_less_first_stderr']:.2f}",
            cell["active_units"],
            f"{cell['ess']:.1f}",
        ]
        for cell in result["cells"]
    ]
    count = result["cells"][0]["test_images"]
    title = (
        f"{config.epochs} epochs of {config.bound} on {config.dataset}: nats per image of {count}, "
        f"active units of {config.latent_size}, effective samples of {WEIGHTS}"
    )
    print_table(title, columns, rows)
    if config.snr_samples:
        columns = ["gradient", *(f"K = {k}" for k in config.snr_samples), "slope"]
        rows = [[name, *v, float(result["snr_slopes"][name])] for name, v in result["snr"].items()]
        print_table("Signal-to-noise ratio of the encoder's gradient", columns, rows)
    print(f"time: {result['seconds']:.1f} seconds")
    print("pictures:", *pictures, sep="\n  ")
    print(f"everything: {out.path}")


if __name__ == "__main__":
    main(Config, run)

"""Naive Monte Carlo in theory and in practice: log p(x) by sampling, against dimension.

z ~ N(0, I) and x = z + noise, so that log p(x), the posterior and the variance of every weight are
known. log p(x) is estimated by the log of the mean of K weights p(x, z) / q(z), with z from the
prior (naive Monte Carlo), from a q as good as an encoder's may be (the posterior, but 1.5 times as
wide) and from the posterior. The estimate is the importance-weighted bound: its bias begins at
-KL(q || posterior) with one sample and ends as -Var(w) / 2K, w being the weight over its mean. The
prior's Var(w), which the table gives exactly, grows so fast with dimension that no K is above it.
(Lecture 18, First and Second Attempt; Burda et al. 2016; Domke & Sheldon 2018, theorem 3.)

  python -m experiments naive_monte_carlo

Expect in 8, 16 and 64 dimensions, with 1,024 samples of the prior, a bias of -.88, -7.1 and -92
nats, and effective sample sizes of 4.2, 1.8 and 1.2; from the wider q, no bias that can be seen,
-.013 and -1.2 nats, and 235, 61 and 4.2 effective samples. 25 seconds on one CPU core.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.bounds import IWAE
from jaxgen.checks import at_least
from jaxgen.distributions import Independent, diagonal_normal
from jaxgen.metrics import pareto_k
from jaxgen.numerics import effective_sample_size
from jaxgen.objectives import log_importance_weights, log_prior_weights
from jaxgen.pictures import against_count
from jaxgen.types import Key
from jaxgen.workbench import (
    Directory,
    RunDirectory,
    main,
    new_path,
    open_run,
    print_table,
    progress,
)

NAMES = {"prior": "the prior", "wide": "a q too wide", "posterior": "the posterior"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The model's dimensions and what is spent on each datapoint."""

    dimensions: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    """Of z and of x."""
    samples: tuple[int, ...] = (1, 4, 16, 64, 256, 1024)
    """Numbers K of importance samples."""
    noise: float = 0.5
    """Standard deviation of x given z."""
    width: float = 1.5
    """Standard deviation of the middle proposal, over that of the posterior."""
    datapoints: int = 50
    """Drawn from the model."""
    repeats: int = 8
    """Independent estimates per datapoint with the largest K, and accordingly more with fewer."""
    seed: int = 0
    """Fixes the datapoints and every sample."""
    run_dir: Directory = None
    """Where everything is written; runs/naive_monte_carlo-TIME if not given."""

    def __post_init__(self) -> None:
        for name in ("dimensions", "samples"):
            counts = getattr(self, name)
            for count in counts:
                at_least(name, count, 1)
            if not counts or list(counts) != sorted(set(counts)):
                raise ValueError(f"{name}: got {counts}, expected one number or more, rising")
        for name in ("noise", "width"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name}: got {value}, expected a finite number > 0")
        for name in ("datapoints", "repeats"):
            at_least(name, getattr(self, name), 2)
        if at_least("seed", self.seed, 0) >= 2**32:
            raise ValueError(f"seed: got {self.seed}, expected an integer below 2**32")


def gaussian(mean: Float[Array, "size"], scale: float) -> Independent:
    """Returns N(mean, scale² I) over one vector."""
    return diagonal_normal(mean, scale=jnp.full_like(mean, scale))


class Gaussians(NamedTuple):
    """The prior, the posterior of one datapoint and the q that is wider than it."""

    prior: Independent
    wide: Independent
    posterior: Independent


def make_gaussians(config: Config, x: Float[Array, "size"]) -> Gaussians:
    """Returns the distributions that z is drawn from, given x."""
    shrinkage = 1 / (1 + config.noise**2)
    scale = config.noise * math.sqrt(shrinkage)
    return Gaussians(
        prior=gaussian(jnp.zeros_like(x), 1.0),
        wide=gaussian(shrinkage * x, config.width * scale),
        posterior=gaussian(shrinkage * x, scale),
    )


def log_second_moment(q: Independent, posterior: Independent) -> Array:
    """Returns log E_q[w²], w = p(z|x) / q(z) being a weight over its mean; infinite for a thin q.

    It is log(1 + Var(w)), the Rényi divergence of order two.
    """
    ours, theirs = q.distribution, posterior.distribution
    spread = 2 * ours.variance() - theirs.variance()
    log_moments = (
        (ours.mean() - theirs.mean()) ** 2 / spread
        + jnp.log(ours.variance())
        - 0.5 * jnp.log(theirs.variance())
        - 0.5 * jnp.log(spread)
    )
    return jnp.sum(jnp.where(spread > 0, log_moments, jnp.inf))


class Weights(NamedTuple):
    """What is drawn for one datapoint, and what is known of it; in nats.

    Attributes:
      errors: log weights less log p(x), by proposal.
      kl: KL(q || posterior), by proposal.
      log_second_moment: likewise.
    """

    errors: Float[Array, "proposals samples"]
    kl: Float[Array, "proposals"]
    log_second_moment: Float[Array, "proposals"]


def draw_weights(config: Config, key: Key, x: Float[Array, "size"]) -> Weights:
    """Returns one datapoint's weights under each proposal."""
    total = config.repeats * config.samples[-1]
    qs = make_gaussians(config, x)
    marginal = gaussian(jnp.zeros_like(x), math.sqrt(1 + config.noise**2))

    def log_likelihood(z: Array) -> Array:
        return gaussian(z, config.noise).log_prob(x)

    def log_joint(z: Array) -> Array:
        return log_likelihood(z) + qs.prior.log_prob(z)

    key_prior, key_wide, key_posterior = jax.random.split(key, 3)
    log_weights = jnp.stack(
        [
            log_prior_weights(key_prior, log_likelihood, qs.prior, total),
            log_importance_weights(key_wide, log_joint, qs.wide, total),
            log_importance_weights(key_posterior, log_joint, qs.posterior, total),
        ]
    )
    return Weights(
        errors=log_weights - marginal.log_prob(x),
        kl=jnp.stack([q.kl_divergence(qs.posterior) for q in qs]),
        log_second_moment=jnp.stack([log_second_moment(q, qs.posterior) for q in qs]),
    )


def measure(config: Config, errors: Float[Array, "samples"]) -> dict[str, Array]:
    """Returns what the samples of one datapoint and proposal say of the estimate of log p(x).

    By number of samples, the mean and the variance over repeats of its error, in nats and nats²,
    and the mean effective sample size; for the largest number alone, Pareto's k.
    """

    def in_sets(of: Callable[[Array], Array], count: int) -> Array:
        return jax.vmap(of)(errors[: len(errors) // count * count].reshape(-1, count))

    estimates = [in_sets(IWAE, count) for count in config.samples]
    sizes = [in_sets(effective_sample_size, count) for count in config.samples]
    return {
        "bias": jnp.stack([jnp.mean(of) for of in estimates]),
        "variance": jnp.stack([jnp.var(of, ddof=1) for of in estimates]),
        "ess": jnp.stack([jnp.mean(of) for of in sizes]),
        # Not the mean of two in the middle, which may be infinite to either side.
        "pareto_k": jnp.quantile(in_sets(pareto_k, config.samples[-1]), 0.5, method="lower"),
    }


def run(config: Config) -> dict[str, Any]:
    """Measures every proposal at every dimension; returns what result.json holds."""
    begun = time.monotonic()
    out = open_run(config.run_dir or new_path("naive_monte_carlo"), config)
    spread = math.sqrt(1 + config.noise**2)
    # One datapoint after the other: the samples of all would not fit into a cache.
    draw_all = jax.jit(
        lambda keys, xs: jax.lax.map(lambda pair: draw_weights(config, *pair), (keys, xs))
    )
    measure_all = jax.jit(jax.vmap(jax.vmap(lambda errors: measure(config, errors))))
    rows = []
    with progress(len(config.dimensions), unit="dimension") as advance:
        for dims in config.dimensions:
            key_x, key_z = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), dims))
            xs = spread * jax.random.normal(key_x, (config.datapoints, dims))
            weights = draw_all(jax.random.split(key_z, len(xs)), xs)
            rows.append(summary({**measure_all(weights.errors), **weights._asdict()}))
            advance(1, f"{dims}: {rows[-1]['bias'][0, -1]:.2f} nats")
    # From [dimension, proposal, ...] to one table by proposal.
    whole = jax.tree.map(lambda *arrays: np.stack(arrays), *rows)
    result: dict[str, Any] = {
        name: {quantity: values[:, i] for quantity, values in whole.items()}
        for i, name in enumerate(Gaussians._fields)
    }
    result |= {"dimensions": config.dimensions, "samples": config.samples}
    pictures = draw(out, config, result)
    result["seconds"] = time.monotonic() - begun
    out.write_result(result)
    report(config, result, out, pictures)
    return result


def summary(found: dict[str, Array]) -> dict[str, Float[np.ndarray, "proposals ..."]]:
    """Returns means over the datapoints (the leading axis), with the bias's standard error.

    `relative_variance` is Var(w), exact for each datapoint; of Pareto's k it is the median.
    """
    each = {
        name: np.asarray(values, np.float64) for name, values in found.items() if name != "errors"
    }
    shapes = each.pop("pareto_k")
    means = {name: values.mean(axis=0) for name, values in each.items()}
    return means | {
        "bias_stderr": each["bias"].std(axis=0, ddof=1) / math.sqrt(len(each["bias"])),
        "relative_variance": np.expm1(each["log_second_moment"]).mean(axis=0),
        "pareto_k": np.quantile(shapes, 0.5, axis=0, method="inverted_cdf"),
    }


def draw(out: RunDirectory, config: Config, result: dict[str, Any]) -> list[str]:
    """Draws bias and effective samples by dimension, and the bias by samples; returns the paths."""
    most, middle = config.samples[-1], len(config.dimensions) // 2
    lossy = {name: label for name, label in NAMES.items() if name != "posterior"}
    figures = {
        "bias_by_dimension": against_count(
            config.dimensions,
            {label: result[name]["bias"][:, -1] for name, label in NAMES.items()},
            level=("unbiased", 0.0),
            xlabel="dimensions of z",
            ylabel="bias of log p(x) (nats)",
            title=f"Bias of the log estimate from {most} samples",
        ),
        "ess_by_dimension": against_count(
            config.dimensions,
            {label: result[name]["ess"][:, -1] for name, label in NAMES.items()},
            yscale="log",
            xlabel="dimensions of z",
            ylabel="effective sample size",
            title=f"Samples that count, of {most}",
        ),
        "bias_by_samples": against_count(
            config.samples,
            {
                # What the noise of the estimates hides is left out.
                label: np.where(-bias > 2 * stderr, -bias, np.nan)
                for name, label in lossy.items()
                for bias, stderr in [(result[name][of][middle] for of in ("bias", "bias_stderr"))]
            },
            theory={
                label: result[name]["relative_variance"][middle] / 2 / np.array(config.samples)
                for name, label in lossy.items()
            },
            yscale="log",
            xlabel="samples K",
            ylabel="log p(x) less the bound (nats)",
            title=f"Bias in {config.dimensions[middle]} dimensions, where it exceeds its noise; "
            "dashed: Var(w) / 2K",
        ),
    }
    return [str(out.save_picture(name, figure)) for name, figure in figures.items()]


def report(config: Config, result: dict[str, Any], out: RunDirectory, pictures: list[str]) -> None:
    """Prints a table for each proposal and where everything is."""
    columns = ["dimensions", "bias", "variance", "ESS", "Pareto k", "1 + Var(w)"]
    for name, label in NAMES.items():
        found = result[name]
        rows = [
            [
                dims,
                *(float(found[of][i, -1]) for of in ("bias", "variance", "ess")),
                float(found["pareto_k"][i]),
                f"e^{found['log_second_moment'][i]:.1f}",
            ]
            for i, dims in enumerate(config.dimensions)
        ]
        title = f"log p(x) in nats, from {config.samples[-1]} samples of {label}"
        print_table(title, columns, rows)
    print(f"time: {result['seconds']:.1f} seconds")
    print("pictures:", *pictures, sep="\n  ")
    print(f"everything: {out.path}")


if __name__ == "__main__":
    main(Config, run)

"""Naive Monte Carlo in theory and in practice: log p(x) by sampling, against dimension.

z ~ N(0, I) and x = z + noise, so that log p(x), the posterior and the variance of every weight are
known. log p(x) is estimated by the log of the mean of K weights p(x, z) / q(z), with z from the
prior (naive Monte Carlo), from a q as good as an encoder's may be (the posterior, but 1.5 times as
wide) and from the posterior. The estimate is the importance-weighted bound: its bias begins at
-KL(q || posterior) with one sample and ends as -Var(w) / 2K, w being the weight over its mean. The
prior's Var(w), which the table gives exactly, grows so fast with dimension that no K is above it.
(Burda et al. 2016; Domke & Sheldon 2018, theorem 3.)

  python -m experiments naive_monte_carlo

Expect (one seed) in 8, 16 and 64 dimensions, with 1,024 samples of the prior, a bias of -.88, -7.1
and -92 nats, and effective sample sizes of 4.2, 1.8 and 1.2; from the wider q, no bias that can be
seen, -.013 and -1.2 nats, and 235, 61 and 4.2 effective samples. 25 seconds on one CPU core.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen import workbench as wb
from jaxgen.distributions import Independent, diagonal_normal
from jaxgen.metrics import log_estimate, log_second_moment
from jaxgen.objectives import log_importance_weights, log_prior_weights
from jaxgen.pictures import against_count
from jaxgen.types import Key

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"prior": "the prior", "wide": "a q too wide", "posterior": "the posterior"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.RunConfig):
    """The model's dimensions and what is spent on each datapoint."""

    dimensions: Annotated[tuple[wb.Count, ...], wb.RISING] = (1, 2, 4, 8, 16, 32, 64)
    """Of z and of x."""
    samples: Annotated[tuple[wb.Count, ...], wb.RISING] = (1, 4, 16, 64, 256, 1024)
    """Numbers K of importance samples."""
    noise: wb.Positive = 0.5
    """Standard deviation of x given z."""
    width: wb.Positive = 1.5
    """Standard deviation of the middle proposal, over that of the posterior."""
    datapoints: Annotated[int, wb.AtLeast(2)] = 50
    """Drawn from the model."""
    repeats: Annotated[int, wb.AtLeast(2)] = 8
    """Independent estimates per datapoint with the largest K, and accordingly more with fewer."""


def gaussian(mean: Float[Array, "size"], scale: float) -> Independent:
    """Returns N(mean, scale² I) over one vector."""
    return diagonal_normal(mean, scale=jnp.full_like(mean, scale))


def make_proposals(config: Config, x: Float[Array, "size"]) -> dict[str, Independent]:
    """Returns what z is drawn from, given x: the prior, a q that is too wide, the posterior."""
    shrinkage = 1 / (1 + config.noise**2)
    scale = config.noise * math.sqrt(shrinkage)
    return {
        "prior": gaussian(jnp.zeros_like(x), 1.0),
        "wide": gaussian(shrinkage * x, config.width * scale),
        "posterior": gaussian(shrinkage * x, scale),
    }


def draw_weights(config: Config, key: Key, x: Float[Array, "size"]) -> dict[str, Array]:
    """Returns one datapoint's log weights less log p(x), and what is known of them, by proposal."""
    total = config.repeats * config.samples[-1]
    qs = make_proposals(config, x)
    marginal = gaussian(jnp.zeros_like(x), math.sqrt(1 + config.noise**2))

    def log_likelihood(z: Array) -> Array:
        return gaussian(z, config.noise).log_prob(x)

    def log_joint(z: Array) -> Array:
        return log_likelihood(z) + qs["prior"].log_prob(z)

    key_prior, key_wide, key_posterior = jax.random.split(key, 3)
    log_weights = [
        log_prior_weights(key_prior, log_likelihood, qs["prior"], total),
        log_importance_weights(key_wide, log_joint, qs["wide"], total),
        log_importance_weights(key_posterior, log_joint, qs["posterior"], total),
    ]
    posterior = qs["posterior"]
    return {
        "errors": jnp.stack(log_weights) - marginal.log_prob(x),
        "kl": jnp.stack([q.kl_divergence(posterior) for q in qs.values()]),
        "log_second_moment": jnp.stack([log_second_moment(q, posterior) for q in qs.values()]),
    }


def run(config: Config) -> dict[str, Any]:
    """Measures every proposal at every dimension; returns what result.json holds."""
    out = wb.begin(config)
    spread = math.sqrt(1 + config.noise**2)
    # One datapoint after the other: the samples of all would not fit into a cache.
    draw_all = jax.jit(
        lambda keys, xs: jax.lax.map(lambda pair: draw_weights(config, *pair), (keys, xs))
    )
    measure = jax.jit(jax.vmap(jax.vmap(lambda errors: log_estimate(errors, config.samples))))
    rows = []
    with wb.progress(len(config.dimensions), unit="dimension") as advance:
        for dims in config.dimensions:
            key_x, key_z = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), dims))
            xs = spread * jax.random.normal(key_x, (config.datapoints, dims))
            weights = draw_all(jax.random.split(key_z, len(xs)), xs)
            rows.append(summary({**measure(weights.pop("errors"))._asdict(), **weights}))
            advance(1, f"{dims}: {rows[-1]['bias'][0, -1]:.2f} nats")
    # From [dimension, proposal, ...] to one table by proposal.
    whole = jax.tree.map(lambda *arrays: np.stack(arrays), *rows)
    result: dict[str, Any] = {
        name: {quantity: values[:, i] for quantity, values in whole.items()}
        for i, name in enumerate(NAMES)
    }
    result |= {"dimensions": config.dimensions, "samples": config.samples}
    return out.finish(result, draw(config, result), tables(config, result))


def summary(found: dict[str, Array]) -> dict[str, Float[np.ndarray, "proposals ..."]]:
    """Returns means over the datapoints (the leading axis), with the bias's standard error.

    `relative_variance` is Var(w), exact for each datapoint; of Pareto's k it is the median.
    """
    each = {name: np.asarray(values, np.float64) for name, values in found.items()}
    shapes = each.pop("pareto_k")
    means = {name: values.mean(axis=0) for name, values in each.items()}
    return means | {
        "bias_stderr": each["bias"].std(axis=0, ddof=1) / math.sqrt(len(each["bias"])),
        "relative_variance": np.expm1(each["log_second_moment"]).mean(axis=0),
        "pareto_k": np.quantile(shapes, 0.5, axis=0, method="inverted_cdf"),
    }


def draw(config: Config, result: dict[str, Any]) -> dict[str, Figure]:
    """Returns bias and effective samples by dimension, and the bias by samples."""
    most, middle = config.samples[-1], len(config.dimensions) // 2
    shown = {label: result[name] for name, label in NAMES.items()}
    lossy = {label: of for label, of in shown.items() if of is not result["posterior"]}
    return {
        "bias_by_dimension": against_count(
            config.dimensions,
            {label: of["bias"][:, -1] for label, of in shown.items()},
            level=("unbiased", 0.0),
            xlabel="dimensions of z",
            ylabel="bias of log p(x) (nats)",
            title=f"Bias of the log estimate from {most} samples",
        ),
        "ess_by_dimension": against_count(
            config.dimensions,
            {label: of["ess"][:, -1] for label, of in shown.items()},
            yscale="log",
            xlabel="dimensions of z",
            ylabel="effective sample size",
            title=f"Samples that count, of {most}",
        ),
        "bias_by_samples": against_count(
            config.samples,
            {label: above_noise(of, middle) for label, of in lossy.items()},
            theory={
                label: of["relative_variance"][middle] / 2 / np.array(config.samples)
                for label, of in lossy.items()
            },
            yscale="log",
            xlabel="samples K",
            ylabel="log p(x) less the bound (nats)",
            title=f"Bias in {config.dimensions[middle]} dimensions, where it exceeds its noise; "
            "dashed: Var(w) / 2K",
        ),
    }


def above_noise(found: dict[str, Any], row: int) -> Float[np.ndarray, "samples"]:
    """Returns the bias, sign turned, where the noise of the estimates does not hide it."""
    bias, stderr = found["bias"][row], found["bias_stderr"][row]
    return np.where(-bias > 2 * stderr, -bias, np.nan)


def tables(config: Config, result: dict[str, Any]) -> list[wb.Table]:
    """Returns a table for each proposal."""
    columns = ["dimensions", "bias", "variance", "ESS", "Pareto k", "1 + Var(w)"]
    title = f"log p(x) in nats, from {config.samples[-1]} samples of"

    def rows(of: dict[str, Any]) -> list[tuple[object, ...]]:
        last = [of[quantity][:, -1].tolist() for quantity in ("bias", "variance", "ess")]
        moments = [f"e^{moment:.1f}" for moment in of["log_second_moment"]]
        return list(zip(config.dimensions, *last, of["pareto_k"].tolist(), moments, strict=True))

    return [
        wb.Table(f"{title} {label}", columns, rows(result[name])) for name, label in NAMES.items()
    ]


if __name__ == "__main__":
    wb.main(Config, run)

"""EM for a mixture of Gaussians: coordinate ascent on the evidence lower bound, seen step by step.

Each E-step makes the bound touch log p(x), each M-step raises it, so the log likelihood never
falls; which optimum it climbs to depends on the start (Dempster et al. 1977; Neal & Hinton 1998).
Data: 2,000 points of five known Gaussians on a ring, or the first two principal components of the
embedded digits.

  python -m experiments mixture_em

Expect (one seed) on the ring: 15 of 20 starts end at the best optimum, -3.500 nats per datapoint,
above the true mixture's -3.509 since it was fitted to these points; held out -3.498, below the
truth's -3.490. The worst start stays at -3.575. About 15 seconds on one CPU core, mostly
compilation.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen import workbench as wb
from jaxgen.data import load
from jaxgen.inference import EMResult, em
from jaxgen.models import (
    ComponentFamily,
    FullGaussian,
    Mixture,
    diagonal_gaussian,
    full_gaussian,
    mixture_log_joint,
    mixture_steps,
    random_mixture,
)
from jaxgen.pictures import INK, ellipses, geometric_steps, legend_below, panels
from jaxgen.types import Key

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAMILIES = {"full": full_gaussian, "diagonal": diagonal_gaussian}
RING_COMPONENTS = 5
TRAIN_POINTS = TEST_POINTS = 2000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.RunConfig):
    """One mixture and the data that it is fitted to."""

    data: Literal["ring", "digits"] = "ring"
    """Five Gaussians on a ring, or two principal components of the digits."""
    components: wb.Count = RING_COMPONENTS
    """Gaussians in the mixture."""
    covariance: Literal["full", "diagonal"] = "full"
    """Of each Gaussian."""
    min_variance: wb.NonNegative = 1e-4
    """The least variance of a Gaussian in any direction, in units of the data's squared."""
    steps: wb.Count = 100
    """E- and M-steps, each."""
    starts: wb.Count = 20
    """Random starts, run side by side; the one with the highest bound at the end is shown."""


def ring() -> Mixture:
    """Returns the true mixture: Gaussians along a circle of radius 3, longer than wide."""
    angles = 2 * jnp.pi * jnp.arange(RING_COMPONENTS) / RING_COMPONENTS
    outwards = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
    along = jnp.stack([-outwards[:, 1], outwards[:, 0]], axis=1)
    covariances = 0.2 * jnp.einsum("ki,kj->kij", outwards, outwards)
    covariances += 1.2 * jnp.einsum("ki,kj->kij", along, along)
    weights = jnp.arange(1.0, RING_COMPONENTS + 1)
    return Mixture(jnp.log(weights / weights.sum()), FullGaussian(3 * outwards, covariances))


def sample_ring(key: Key) -> tuple[Array, Array]:
    """Returns training and test points of the ring."""
    key_component, key_noise = jax.random.split(key)
    truth, count = ring(), TRAIN_POINTS + TEST_POINTS
    ks = jax.random.categorical(key_component, truth.log_weights, shape=(count,))
    scales = jnp.linalg.cholesky(truth.components.covariance)[ks]
    noise = jax.random.normal(key_noise, (count, 2))
    xs = truth.components.mean[ks] + jnp.einsum("nij,nj->ni", scales, noise)
    return xs[:TRAIN_POINTS], xs[TRAIN_POINTS:]


def project_digits(key: Key) -> tuple[Array, Array]:
    """Returns training and test digits in the training set's two principal components."""
    train, test = (
        load("digits", split, binarization="none").images.reshape(-1, 64) / 255.0
        for split in ("train", "test")
    )
    mean = train.mean(axis=0)
    _, _, directions = np.linalg.svd(train - mean, full_matrices=False)
    plane = directions[:2].T
    return jnp.asarray((train - mean) @ plane), jnp.asarray((test - mean) @ plane)


DATA = {"ring": sample_ring, "digits": project_digits}


def run(config: Config) -> dict[str, Any]:
    """Fits the mixture of `config`; returns what result.json holds."""
    out = wb.begin(config)
    family = FAMILIES[config.covariance](config.min_variance)
    with jax.enable_x64(True):  # the climb is watched to its last digits
        key_data, key_starts = jax.random.split(jax.random.key(config.seed))
        xs, test = DATA[config.data](key_data)
        if config.components > len(xs):
            raise ValueError(
                f"components: got {config.components}, expected at most {len(xs)}, the datapoints"
            )
        start_at = jax.vmap(lambda key: random_mixture(key, family, xs, config.components))
        starts = jax.jit(start_at)(jax.random.split(key_starts, config.starts))
        climb = jax.jit(jax.vmap(lambda start: em(mixture_steps(family, xs), start, config.steps)))
        results = climb(starts)
        log_likelihoods = jax.vmap(lambda m: mean_log_likelihood(family, m, xs))(results.params)
        # A start that met a number that is not finite counts as the worst.
        best = int(jnp.argmax(jnp.where(results.all_finite, log_likelihoods, -jnp.inf)))
        chosen = jax.tree.map(lambda leaf: leaf[best], results)
        half_steps = zip(chosen.after_e_step, chosen.after_m_step, strict=True)
        for step, (e, m) in enumerate(half_steps):
            out.directory.record({"epoch": step + 1, "after_e_step": e, "after_m_step": m})
        top = log_likelihoods[best]
        result: dict[str, Any] = {
            "train_log_likelihood": top,
            "test_log_likelihood": mean_log_likelihood(family, chosen.params, test),
            "log_likelihood_of_starts": jnp.sort(log_likelihoods)[::-1],
            "starts_at_the_best": int(jnp.sum(log_likelihoods > top - 1e-3)),
            "starts_not_finite": int(jnp.sum(~results.all_finite)),
            "largest_fall": max(0.0, -float(np.diff(climb_of(chosen)).min())),
            "weights": jnp.exp(chosen.params.log_weights),
            "means": chosen.params.components.mean,
        }
        for name, points in {"train": xs, "test": test}.items() if config.data == "ring" else ():
            of_truth = mean_log_likelihood(full_gaussian(), ring(), points)
            result[f"{name}_log_likelihood_of_truth"] = of_truth
        start = jax.tree.map(lambda leaf: leaf[best], starts)
        components = draw_components(config, family, start, xs)
        figures = {"components": components, "staircase": draw_staircase(chosen)}
    return out.finish(result, figures, [report(config, result)])


def mean_log_likelihood(family: ComponentFamily, mixture: Mixture, xs: Array) -> Array:
    """Returns the mean of log p(x), in nats per datapoint."""
    log_joints = jax.vmap(lambda x: mixture_log_joint(family, mixture, x))(xs)
    return jnp.mean(jax.nn.logsumexp(log_joints, axis=1))


def climb_of(result: EMResult) -> Float[np.ndarray, "half_steps"]:
    """Returns the bound after every half step, in nats per datapoint."""
    return np.stack([result.after_e_step, result.after_m_step], axis=1).ravel()


def draw_components(
    config: Config, family: ComponentFamily, start: Mixture, xs: Float[Array, "n dims"]
) -> Figure:
    """Returns the ellipses of the components over the data, at six moments of the climb."""
    moments = geometric_steps(config.steps, 6)
    titles = [f"EM steps: {moment}" for moment in moments]
    figure, axes = panels(titles, columns=3, size=(3.0, 3.5), sharex=True, sharey=True)
    step = jax.jit(lambda mixture: em(mixture_steps(family, xs), mixture, 1).params)
    mixture, done = start, 0
    points, low, high = np.asarray(xs), xs.min(axis=0), xs.max(axis=0)
    for each, moment in zip(axes, moments, strict=True):
        while done < moment:
            mixture, done = step(mixture), done + 1
        each.scatter(*points.T, s=2, color=INK, alpha=0.15, lw=0)
        ellipses(each, jnp.exp(mixture.log_weights), *mixture.components)
        each.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    legend_below(figure, axes[0])
    return figure


def draw_staircase(result: EMResult) -> Figure:
    """Returns the bound along the half steps, and how far each M-step leaves it below log p(x)."""
    titles = ["The bound never falls", "KL(q || posterior) after each M-step"]
    figure, (left, right) = panels(titles, columns=2, size=(4.0, 3.6))
    bound = climb_of(result)
    shown = min(len(bound), 24)
    half_steps = 0.5 * np.arange(shown)
    left.step(half_steps, bound[:shown], where="post", color="C0", lw=1.5)
    left.plot(half_steps[::2], bound[:shown:2], "o", ms=4, color="C0", label="E-step: log p(x)")
    left.plot(half_steps[1::2], bound[1:shown:2], "^", ms=4, color="C1", label="M-step")
    left.set_ylabel("ELBO (nats per datapoint)", color=INK)
    left.legend(frameon=False)
    gap = result.after_e_step[1:] - result.after_m_step[:-1]
    # Below the rounding of float64 there is nothing to see.
    right.semilogy(np.arange(1, len(gap) + 1), np.maximum(gap, 1e-16), color="C0", lw=1.5)
    right.set_ylabel("nats per datapoint", color=INK)
    for axes in (left, right):
        axes.set_xlabel("step", color=INK)
        axes.grid(alpha=0.25)
    return figure


def report(config: Config, result: dict[str, Any]) -> wb.Table:
    """Returns the log likelihoods and how the starts fared."""
    quantities = {
        "log likelihood, train": "train_log_likelihood",
        "log likelihood, test": "test_log_likelihood",
        "  of the true mixture, train": "train_log_likelihood_of_truth",
        "  of the true mixture, test": "test_log_likelihood_of_truth",
        "largest fall in a half step": "largest_fall",
    }
    unit = "nats per datapoint"
    rows = [[name, float(result[of]), unit] for name, of in quantities.items() if of in result]
    rows.append(["worst start", float(result["log_likelihood_of_starts"][-1]), unit])
    rows.append(
        ["starts that end at the best", result["starts_at_the_best"], f"of {config.starts}"]
    )
    title = f"Mixture of {config.components} Gaussians on {config.data}: {config.steps} steps of EM"
    return wb.Table(title, ["quantity", "value", "unit"], rows)


if __name__ == "__main__":
    wb.main(Config, run)

"""Divergences with ground truth in 784 dimensions: which estimate sees 1, 5, 20 nats.

Two distributions over images, a frozen PixelCNN and itself at another temperature, have an exact
log ratio at every image (`jaxgen.certify.teacher`), so every f-divergence between them is a mean
with an error bar. Set against it: the bound of a critic trained for that divergence, on held-out
draws; the accuracy of a classifier, beside the best there is, (1 + total variation) / 2; the
p-value of an MMD test; the kernel distance of pixels. Temperature 1 is the control: no distance.

  python -m experiments exact_divergences

Expect (one seed) at KL = .98, 4.9 and 19.4 nats a KL bound of .28, of 1.0, and none at all (its
held-out terms explode); of Jensen-Shannon .07 of .21, .32 of .58, .62 of .69; of total variation
.22 of .54, .61 of .91, .92 of 1; of Pearson, which is 5, 3,500 and 10^12, nothing ever. The
classifier is right in .66, .87, .98 where .77, .96, 1 can be had; MMD and kernel distance see all
three. 200 seconds of CPU time.
"""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.certify import teacher
from jaxgen.divergences import (
    DIVERGENCES,
    activated_bound,
    divergence_of_log_ratios,
    estimate,
    median_heuristic,
    rbf,
    variational_bound,
)
from jaxgen.metrics import kernel_distance
from jaxgen.nets import DCGANCritic
from jaxgen.pictures import INK, legend_below, panels, side_by_side
from jaxgen.two_sample import TestResult, classifier_test, mmd_permutation_test
from jaxgen.types import Key, Params

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.RunConfig):
    """The distances, the divergences, and what is spent on each."""

    temperatures: Annotated[tuple[wb.Positive, ...], wb.RISING] = (1.0, 1.16, 1.39, 1.9)
    """Of q; p has 1. These are 0, 1, 5 and 20 nats away from it."""
    divergences: Annotated[tuple[str, ...], wb.Among(wb.F_DIVERGENCES), wb.SEVERAL] = (
        "kl",
        "reverse_kl",
        "weighted_jensen_shannon",
        "squared_hellinger",
        "total_variation",
        "pearson",
    )
    images: Annotated[int, wb.AtLeast(40)] = 3000
    """Drawn of each side, half of them to train critics on."""
    tested: Annotated[int, wb.AtLeast(8)] = 500
    """Of each side, in the MMD test and in a subset of the kernel distance."""
    steps: wb.Count = 300
    """Of every critic."""
    batch_size: wb.Count = 100
    width: wb.Count = 16
    """Channels of the critics' first layer."""
    permutations: Annotated[int, wb.AtLeast(19)] = 199


class Pair(NamedTuple):
    """Draws of p and of q, and log p/q at each of them."""

    x_p: Array
    x_q: Array
    ratios_p: Array
    ratios_q: Array


def run(config: Config) -> dict[str, Any]:
    """Measures every distance in every way; returns what result.json holds."""
    out = wb.begin(config)
    key_p, *keys = config.keys(1 + 2 * len(config.temperatures))
    truth = teacher()
    x_p, log_p = truth.draw(key_p, config.images)
    net = DCGANCritic((config.width, 2 * config.width), batch_norm=False)
    critic = partial(net.init, x=x_p[:2], train=True), partial(net.apply, train=False)

    @jax.jit
    def log_probs(params: Params, xs: Array) -> Array:
        return jax.lax.map(truth.density.distribution(params, ()).log_prob, xs, batch_size=50)

    found: dict[str, dict[str, Any]] = {}
    drawn = {"p": x_p[:SHOWN]}
    with wb.progress(len(config.temperatures), unit="distance") as advance:
        for t, key_q, key in zip(config.temperatures, keys[::2], keys[1::2], strict=True):
            other = teacher(t)
            x_q, log_q = other.draw(key_q, config.images)
            ratios = log_p - log_probs(other.params, x_p), log_probs(truth.params, x_q) - log_q
            found[f"{t:g}"] = measure(config, critic, key, Pair(x_p, x_q, *ratios))
            drawn[f"q at {t:g}"] = x_q[:SHOWN]
            advance()
    result = {"temperatures": config.temperatures, "images": config.images, "found": found}
    figures = {"seen": draw(config, found), "draws": side_by_side(drawn, columns=SHOWN)}
    return out.finish(result, figures, tables(config, found))


def measure(config: Config, critic: tuple[Any, Any], key: Key, pair: Pair) -> dict[str, Any]:
    """Returns the exact divergences and what every estimate sees of them."""
    key_estimate, key_classify, key_mmd, key_kernel = jax.random.split(key, 4)
    xs = pair.x_p, pair.x_q
    tested = pair.x_p[: config.tested], pair.x_q[: config.tested]
    settings: Any = {"num_steps": config.steps, "batch_size": config.batch_size}
    exact, seen = {}, {}
    for name in config.divergences:
        divergence = DIVERGENCES[name]
        exact[name] = known(pair, name)
        bound = activated_bound if divergence.curvature is None else variational_bound
        key = jax.random.clone(key_estimate)  # the same critic at first, and the same batches
        of = estimate(key, *xs, divergence, *critic, bound=bound, **settings)
        seen[name] = wb.Mean(float(of.value), float(of.stderr))
    kernel = kernel_distance(key_kernel, *xs, subset_size=config.tested)
    mmd_kernel = rbf(median_heuristic(*tested))
    return {
        "exact": {name: of._asdict() for name, of in exact.items()},
        "seen": {name: of._asdict() for name, of in seen.items()},
        "classifier": p_value(classifier_test(key_classify, *xs, *critic, **settings)),
        "best_accuracy": (1 + known(pair, "total_variation").value) / 2,
        "mmd": p_value(mmd_permutation_test(key_mmd, *tested, mmd_kernel, config.permutations)),
        "kernel": {"value": float(kernel.value), "stderr": float(kernel.stderr)},
    }


def known(pair: Pair, name: str) -> wb.Mean:
    """Returns a divergence by the exact log ratios."""
    terms = divergence_of_log_ratios(pair.ratios_p, pair.ratios_q, DIVERGENCES[name])
    of_p, of_q = (wb.mean_over_images(np.asarray(of, float)) for of in terms)
    return wb.Mean(of_p.value - of_q.value, math.hypot(of_p.stderr, of_q.stderr))


def p_value(test: TestResult) -> dict[str, float]:
    """Returns what a test says."""
    return {"statistic": float(test.statistic), "p": float(test.p_value)}


def draw(config: Config, found: dict[str, dict[str, Any]]) -> Figure:
    """Returns a panel per divergence: what it is, and what its critic sees of it."""
    titles = [DIVERGENCES[name].name for name in config.divergences]
    figure, places = panels(titles, columns=3, size=(3.2, 2.6))
    for axes, name in zip(places, config.divergences, strict=True):
        for side, label in (("exact", "exact"), ("seen", "its critic's bound")):
            values, errors = np.array([[*of[side][name].values()] for of in found.values()]).T
            axes.errorbar(range(len(found)), values, 2 * errors, marker="o", capsize=3, label=label)
        axes.set_xticks(range(len(found)), found)
        axes.set_yscale("symlog", linthresh=0.1)
        most = max(of["exact"][name]["value"] for of in found.values())
        axes.set_ylim(-1, 3 * max(most, 0.1))  # a bound that explodes leaves the picture
        axes.axhline(0, color=INK, lw=0.8)
        axes.set_xlabel("temperature of q", color=INK)
    legend_below(figure, places[0])
    return figure


def tables(config: Config, found: dict[str, dict[str, Any]]) -> list[wb.Table]:
    """Returns the divergences, exact and seen, and the tests."""
    columns = [f"at {t}" for t in found]
    rows: list[list[object]] = []
    for name in config.divergences:
        for side, label in (("exact", "exact"), ("seen", "critic")):
            means = [wb.Mean(**of[side][name]) for of in found.values()]
            cells = [
                f"{of.value:.3g} ± {of.stderr:.1g}" if math.isfinite(of.stderr) else "explodes"
                for of in means
            ]
            rows.append([f"{DIVERGENCES[name].name}, {label}", *cells])
    tests = {
        "classifier's accuracy": lambda of: of["classifier"]["statistic"],
        "best accuracy there is": lambda of: of["best_accuracy"],
        "p-value of it": lambda of: of["classifier"]["p"],
        "p-value of MMD": lambda of: of["mmd"]["p"],
        "kernel distance": lambda of: of["kernel"]["value"],
        "±": lambda of: of["kernel"]["stderr"],
    }
    told = [[name, *(tell(of) for of in found.values())] for name, tell in tests.items()]
    title = f"Exact, and the bound of a critic on {config.images // 2} held-out images of each"
    bounds = wb.Table(title, ["divergence", *columns], rows)
    return [bounds, wb.Table("Tests", ["", *columns], told)]


if __name__ == "__main__":
    wb.main(Config, run)

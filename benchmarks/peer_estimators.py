"""Do the estimators of other packages have the same mean and the same variance?

Each pair, of this package and a peer, draws independent gradients of one bound with as many
samples: of three bits that are scored together, or of two Gaussian latents. Compared are every
component of the means, and the traces of the covariances by their ratio. Where both draw alike, a
pair is rejected by chance once in a million times (Bonferroni over its numbers, the normal
approximation of means); keys are fixed.

  pip install -e '.[bench]' pyro-ppl storchastic
  python -m benchmarks.peer_estimators --out benchmarks/results
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from scipy import stats

from benchmarks.markdown import head, short, table, where
from benchmarks.peer_gradients import (
    BITS,
    REALS,
    SAMPLES,
    Pair,
    by_jaxgen,
    by_numpyro,
    by_pyro,
    by_storchastic,
    by_tfp,
)
from benchmarks.record import directory
from benchmarks.timing import environment
from jaxgen.bounds import IWAE
from jaxgen.checks import at_least
from jaxgen.estimators import (
    arm,
    constant,
    doubly_reparameterized,
    leave_one_out,
    pathwise,
    score_function,
)
from jaxgen.workbench import SEVERAL, Among, Count, Directory, check_fields, main, progress

FALSE_ALARM = 1e-6
PACKAGES = (
    *("jax", "jaxlib", "distrax", "tfp-nightly", "tensorflow-probability", "numpyro"),
    *("torch", "pyro-ppl", "storchastic"),
)
_TFP = "tensorflow_probability"
PAIRS = {
    "score function: TFP": Pair(
        score_function(SAMPLES), BITS, _TFP, by_tfp(BITS, "SCORE_FUNCTION", joined=False)
    ),
    "score function: numpyro": Pair(
        score_function(SAMPLES),
        BITS,
        "numpyro",
        by_numpyro(BITS, "TraceGraph_ELBO", num_particles=SAMPLES),
        scored=False,
    ),
    "score function: Pyro": Pair(score_function(1), BITS, "pyro", by_pyro(), scored=False),
    "score function: Storchastic": Pair(
        score_function(SAMPLES),
        BITS,
        "storch",
        by_storchastic("ScoreFunction", n_samples=SAMPLES),
        scored=False,
    ),
    "constant baseline: Pyro": Pair(
        score_function(1, baseline=constant(-0.5)),
        BITS,
        "pyro",
        by_pyro(baseline=-0.5),
        scored=False,
    ),
    "leave one out: Storchastic": Pair(
        score_function(SAMPLES, baseline=leave_one_out()),
        BITS,
        "storch",
        by_storchastic("ScoreFunction", n_samples=SAMPLES, baseline_factory="batch_average"),
        scored=False,
    ),
    "ARM: Storchastic": Pair(arm(2), BITS, "storch", by_storchastic("ARM"), scored=False),
    "pathwise: TFP": Pair(
        pathwise(SAMPLES), REALS, _TFP, by_tfp(REALS, "REPARAMETERIZATION", joined=False)
    ),
    "pathwise: numpyro": Pair(
        pathwise(SAMPLES), REALS, "numpyro", by_numpyro(REALS, "Trace_ELBO", num_particles=SAMPLES)
    ),
    "pathwise, IWAE: TFP": Pair(
        pathwise(SAMPLES, bound=IWAE), REALS, _TFP, by_tfp(REALS, "REPARAMETERIZATION", joined=True)
    ),
    "pathwise, IWAE: numpyro": Pair(
        pathwise(SAMPLES, bound=IWAE),
        REALS,
        "numpyro",
        by_numpyro(REALS, "RenyiELBO", alpha=0, num_particles=SAMPLES),
    ),
    "DReG: TFP": Pair(
        doubly_reparameterized(SAMPLES),
        REALS,
        _TFP,
        by_tfp(REALS, "DOUBLY_REPARAMETERIZED", joined=True),
        scored=False,
    ),
}
"""By the estimator and the peer."""


def compare(ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    """Returns whether two sets of gradients, one a row, have one mean and one variance.

    Example:
      compare(np.ones((100, 2)), 2 * np.ones((100, 2)))["same"]  # False
    """
    threshold = stats.norm.isf(FALSE_ALARM / 2 / (ours.shape[1] + 1))
    moments = [_moments(np.asarray(g, np.float64)) for g in (ours, theirs)]
    (mean, error, trace, spread), (other_mean, other_error, other_trace, other_spread) = moments
    worst = np.max(np.abs(mean - other_mean) / np.maximum(np.hypot(error, other_error), 1e-30))
    ratio, width = trace / other_trace, np.exp(threshold * np.hypot(spread, other_spread))
    low, high = ratio / width, ratio * width
    return {
        "variances": [trace, other_trace],
        "ratio": float(ratio),
        "low": float(low),
        "high": float(high),
        "worst_z": float(worst),
        "threshold": float(threshold),
        "same": bool(worst <= threshold and low <= 1 <= high),
    }


def _moments(gradients: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
    """The mean and its error; the trace of the covariance and its error, as a share of it."""
    count, mean = len(gradients), gradients.mean(axis=0)
    squares = ((gradients - mean) ** 2).sum(axis=1)
    trace = max(float(squares.mean()), 1e-30)  # of constant ones, too, a ratio there is
    error = gradients.std(axis=0) / count**0.5
    return mean, error, trace, float(squares.std() / trace / count**0.5)


def peer_estimators_page(record: Mapping[str, Any]) -> str:
    """Returns the page of what was compared.

    Example:
      peer_estimators_page(json.loads(Path("benchmarks/results/peer_estimators.json").read_text()))
    """
    rows = [
        [
            name,
            *of["variances"],
            f"{short(of['ratio'])} ({short(of['low'])} to {short(of['high'])})",
            f"{of['worst_z']:.1f} of {of['threshold']:.1f}",
            "yes" if of["same"] else "no",
        ]
        for name, of in record["pairs"].items()
    ]
    columns = ("estimator: peer", "jaxgen", "peer", "ratio", "means apart, std. errors", "same")
    lines = [*head("peer_estimators"), *table(columns, rows)]
    lines += [
        f"Traces of the covariance of {record['draws']:,} gradients each. In parentheses the "
        "interval which one must be in, then how far apart the means are, of what they may be.",
        "",
    ]
    if record["absent"]:
        lines += [f"Not installed, and left out: {', '.join(record['absent'])}.", ""]
    return "\n".join(lines + where(record["environment"]))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Which pairs are compared, and how well."""

    pairs: Annotated[tuple[str, ...], Among(PAIRS), SEVERAL] = tuple(PAIRS)
    """Estimators and peers, by name."""
    draws: Count = 100_000
    """Gradients of each, at least 100."""
    out: Directory = None
    """Directory for peer_estimators.json and its page."""

    def __post_init__(self) -> None:
        check_fields(self)
        at_least("draws", self.draws, 100)


def run(config: Config) -> dict[str, Any]:
    """Compares and prints; returns what peer_estimators.json holds."""
    record: dict[str, Any] = {"environment": environment(PACKAGES), "draws": config.draws}
    record["pairs"], record["absent"] = {}, []
    with progress(len(config.pairs), unit="pair") as advance:
        for name in config.pairs:
            pair = PAIRS[name]
            if importlib.util.find_spec(pair.package):
                ours, theirs = by_jaxgen(pair)(config.draws), pair.theirs(config.draws)
                record["pairs"][name] = compare(ours, theirs)
            else:
                record["absent"].append(name)
            advance(1, name)
    print(peer_estimators_page(record))
    if config.out is not None:
        out = directory(config.out)
        text = json.dumps(record, indent=1) + "\n"
        (out / "peer_estimators.json").write_text(text, encoding="utf-8")
        (out / "peer_estimators.md").write_text(peer_estimators_page(record), encoding="utf-8")
    return record


if __name__ == "__main__":
    main(Config, run)

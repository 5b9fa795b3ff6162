"""Which number takes which model for a good one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from jaxgen.workbench.run import Table
from jaxgen.workbench.sample_scores import SampleScores

LEVEL = 0.01
"""A p-value below it has seen a difference."""

# What a number says of a model, and whether more of it is better; of a test, its p-value.
NUMBERS: dict[str, tuple[Callable[[SampleScores], float], bool | None]] = {
    "Parzen estimate": (lambda of: of.parzen.value, True),
    "MMD test": (lambda of: of.mmd_p, None),
    "classifier test": (lambda of: of.accuracy_p, None),
    "kernel distance": (lambda of: of.kernel.value, False),
    "Fréchet distance": (lambda of: of.frechet, False),
    "precision": (lambda of: of.precision.value, True),
    "recall": (lambda of: of.recall.value, True),
    "density": (lambda of: of.density, True),
    "coverage": (lambda of: of.coverage.value, True),
    "memorization test": (lambda of: of.memorization_p, None),
}


def verdicts(
    trained: Sequence[str],
    nats: Mapping[str, Float[np.ndarray, "n"]],
    scores: Mapping[str, SampleScores],
) -> dict[str, dict[str, bool]]:
    """Returns whether each number takes each adversary for a good model.

    A test does if it sees no difference at the level .01, other numbers if they set the adversary
    above the middle one of the models that were trained.

    Args:
      trained: names of those models; all others of `nats` are adversaries.
      nats: of each test image, by the model; NaN of one without a likelihood.
      scores: by the model.
    Example:
      >>> half = Interval(0.5, 0.4, 0.6)
      >>> of = SampleScores(
      ...     Mean(-80.0, 0.5), 0.3, half, 0.2, Mean(0.0, 0.1), 1.5, half, half, 1.0, half, 0.5, 0.4
      ... )
      >>> nats = {"VAE": np.array([-90.0, -92.0]), "memorizer": np.array([-200.0, -210.0])}
      >>> verdicts(["VAE"], nats, {"VAE": of, "memorizer": of})["likelihood"]
      {'memorizer': False}
    """
    others = [name for name in nats if name not in trained]
    means = {name: of.mean() for name, of in nats.items()}
    middle = np.nanmedian([means[name] for name in trained])
    fooled = {"likelihood": {name: bool(means[name] > middle) for name in others}}
    for number, (value, more) in NUMBERS.items():
        sign = 1 if more else -1
        least = np.median([sign * value(scores[name]) for name in trained])
        fooled[number] = {
            name: bool(
                value(scores[name]) >= LEVEL if more is None else sign * value(scores[name]) > least
            )
            for name in others
        }
    return fooled


def verdict_table(fooled: dict[str, dict[str, bool]]) -> Table:
    """Returns what fools what: a row for each number, a column for each adversary.

    Example:
      >>> verdict_table({"likelihood": {"noise": False}})
    """
    names = list(fooled["likelihood"])
    rows = [[of, *("fooled" if by[n] else "sees it" for n in names)] for of, by in fooled.items()]
    return Table("Which number takes which adversary for a good model", ["", *names], rows)

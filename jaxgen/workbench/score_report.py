"""One table of what is measured of several models of images."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from jaxgen.workbench.run import Table
from jaxgen.workbench.sample_scores import SampleScores
from jaxgen.workbench.spoiled import Fitted
from jaxgen.workbench.summary import mean_over_images

COLUMNS = (
    *("", "log p, nats", "which is", "Parzen, nats", "MMD p", "classifier", "its p", "kernel 1e-3"),
    *("Fréchet", "precision", "recall", "density", "coverage", "nearer to train", "its p"),
)


def nats_interval(values: Float[np.ndarray, "n"]) -> tuple[float, float, float]:
    """Returns the mean over images and the ends of its 95% interval; three times what is infinite.

    Example:
      >>> value, low, high = nats_interval(judge.log_prob(model, params))
    """
    if not np.isfinite(values).all():
        mean = float(values.mean())
        return mean, mean, mean
    of = mean_over_images(values)
    return of.value, of.value - 1.96 * of.stderr, of.value + 1.96 * of.stderr


def score_table(
    models: Mapping[str, Fitted],
    nats: Mapping[str, Float[np.ndarray, "n"]],
    scores: Mapping[str, SampleScores],
) -> Table:
    """Returns a row for each of `scores`, with 95% intervals.

    Args:
      models: by their names.
      nats: of each test image, by the model.
      scores: by the model; of data, too.
    Example:
      >>> out.finish(result, figures, [score_table(models, nats, scores)])
    """
    rows = []
    for name, of in scores.items():
        value, low, high = nats_interval(nats[name]) if name in nats else (math.nan,) * 3
        shares = (f"{x.value:.2f}" for x in (of.precision, of.recall))
        rows.append(
            [
                name,
                _with_error(value, (high - low) / 2),
                models[name][0].likelihood if name in models else "-",
                f"{of.parzen.value:.1f} ± {1.96 * of.parzen.stderr:.1f}",
                f"{of.mmd_p:.3f}",
                f"{of.accuracy.value:.2f} [{of.accuracy.low:.2f}, {of.accuracy.high:.2f}]",
                f"{of.accuracy_p:.1g}",
                f"{1e3 * of.kernel.value:.1f} ± {1.96e3 * of.kernel.stderr:.1f}",
                f"{of.frechet:.3f}",
                *shares,
                f"{of.density:.2f}",
                f"{of.coverage.value:.2f}",
                f"{of.nearer:.2f}",
                f"{of.memorization_p:.1g}",
            ]
        )
    return Table("Test images and samples, 95% intervals", COLUMNS, rows)


def _with_error(value: float, half: float) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:.1f} ± {half:.1f}" if np.isfinite(value) else "-∞"

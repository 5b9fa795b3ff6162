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
      >>> nats_interval(np.array([-90.0, -92.0]))
      (-91.0, -92.96, -89.04)
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
      >>> half = Interval(0.5, 0.4, 0.6)
      >>> of = SampleScores(
      ...     Mean(-80.0, 0.5), 0.3, half, 0.2, Mean(0.0, 0.1), 1.5, half, half, 1.0, half, 0.5, 0.4
      ... )
      >>> model = gaussian_model(images.train, 1)
      >>> nats = {"Gaussian": np.array([-90.0, -92.0])}
      >>> score_table({"Gaussian": (model, {})}, nats, {"Gaussian": of}).rows[0][:3]
      ['Gaussian', '-91.0 ± 2.0', 'bound']
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
                f"{of.nearer:z.2f}",
                f"{of.memorization_p:.1g}",
            ]
        )
    return Table("Test images and samples, 95% intervals", COLUMNS, rows)


def _with_error(value: float, half: float) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:.1f} ± {half:.1f}" if np.isfinite(value) else "-∞"

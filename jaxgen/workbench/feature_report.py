"""Accuracies of several features side by side: intervals over seeds and images apart, in pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from jaxgen.metrics import mean_interval
from jaxgen.pictures import dots_with_bars
from jaxgen.workbench.class_features import MEASURES
from jaxgen.workbench.run import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SeedsAndImages(NamedTuple):
    """A mean over seeds and test images, and how far either choice may have moved it.

    Attributes:
      value: the mean.
      over_seeds: half width of the 95% interval, had other seeds been drawn, of these images.
      over_images: half width, had other test images been drawn, of these seeds.
    """

    value: float
    over_seeds: float
    over_images: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ± {self.over_seeds:.4f} ± {self.over_images:.4f}"


def over_seeds_and_images(values: Float[np.ndarray, "seeds m"]) -> SeedsAndImages:
    """Returns the mean with both intervals, by Student's t.

    Raises:
      ValueError: there is one seed, or one image.
    Example:
      >>> right = np.array([[1.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 1.0]])  # [seeds, images]
      >>> str(over_seeds_and_images(right))
      '0.7500 ± 0.0000 ± 0.4593'
    """
    seeds, images = (mean_interval(np.asarray(values, np.float64).mean(axis=a)) for a in (1, 0))
    return SeedsAndImages(seeds.value, seeds.high - seeds.value, images.high - images.value)


class Paired(NamedTuple):
    """By how much one thing is better than another, seed by seed on the same images.

    Attributes:
      difference: the mean, with both intervals.
      p_value: of Student's test over the seeds that it is zero; 1 where no seed differs.
    """

    difference: SeedsAndImages
    p_value: float


def paired(ours: Float[np.ndarray, "seeds m"], theirs: Float[np.ndarray, "seeds m"]) -> Paired:
    """Returns the paired comparison of two accuracies.

    Raises:
      ValueError: there is one seed, or one image.
    Example:
      >>> ours = np.array([[1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
      >>> paired(ours, np.zeros((2, 4))).p_value
      0.0903
    """
    apart = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    by_seed = apart.mean(axis=1)
    test: Any = stats.ttest_1samp(by_seed, 0.0) if np.ptp(by_seed) else None
    return Paired(over_seeds_and_images(apart), 1.0 if test is None else float(test.pvalue))


def report_features(
    right: Mapping[str, Mapping[str, np.ndarray]],
    labels: Mapping[str, str],
    pair: tuple[str, str],
    title: str,
) -> tuple[dict[str, Any], list[Table]]:
    """Returns the result and two tables: of all features, and of a pair of them compared.

    Args:
      right: what `class_accuracy` returns, by the names of the features.
      labels: the names in words.
      pair: the features compared, the second subtracted.
      title: of the first table.
    Example:
      >>> right = {name: np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]) for name in MEASURES}
      >>> labels = {"pixels": "raw pixels", "critic": "critic"}
      >>> result, tables = report_features(
      ...     {"pixels": right, "critic": right}, labels, ("critic", "pixels"), "digits"
      ... )
      >>> result["difference"]["probe"]["p_value"]
      1.0
    """
    found = {
        name: {measure: over_seeds_and_images(of[measure]) for measure in MEASURES}
        for name, of in right.items()
    }
    ours, theirs = pair
    gains = {measure: paired(right[ours][measure], right[theirs][measure]) for measure in MEASURES}
    result = {
        "accuracy": {
            name: {measure: mean._asdict() for measure, mean in of.items()}
            for name, of in found.items()
        },
        "difference": {
            measure: {**gain.difference._asdict(), "p_value": gain.p_value}
            for measure, gain in gains.items()
        },
        "of_seeds": {
            name: {measure: np.mean(of[measure], axis=1) for measure in MEASURES}
            for name, of in right.items()
        },
    }
    rows = [[label, *map(str, found[name].values())] for name, label in labels.items()]
    compared = [
        [MEASURES[measure], str(gain.difference), gain.p_value] for measure, gain in gains.items()
    ]
    columns = ["", f"{labels[ours]} less {labels[theirs]}", "p-value over seeds"]
    return result, [
        Table(f"{title}: ± over seeds ± over images", ["", *MEASURES.values()], rows),
        Table("seed by seed", columns, compared),
    ]


def draw_features(
    result: Mapping[str, Any], labels: Mapping[str, str], few: str, title: str
) -> Figure:
    """Returns the accuracies of `report_features` as dots, with all labels and with few.

    Args:
      few: how many, in words.
    Example:
      >>> found = {
      ...     f"{name}{few}": (0.9, 0.01, 0.02)
      ...     for name in ("neighbor", "probe")
      ...     for few in ("", "_few")
      ... }
      >>> result = {
      ...     "accuracy": {
      ...         "pixels": {
      ...             name: {"value": v, "seeds": s, "images": i}
      ...             for name, (v, s, i) in found.items()
      ...         }
      ...     }
      ... }
      >>> draw_features(result, {"pixels": "raw pixels"}, "10 labels of each class", "digits")
    """
    kinds = {"neighbor": "1-NN", "probe": "linear probe"}
    plots = {
        name: {
            kind: {
                label: tuple(result["accuracy"][features][f"{measure}{suffix}"].values())
                for features, label in labels.items()
            }
            for measure, kind in kinds.items()
        }
        for name, suffix in (("all labels", ""), (few, "_few"))
    }
    title = f"{title}; 95% intervals: thick over seeds, thin over test images"
    return dots_with_bars(plots, xlabel="accuracy", title=title)

"""What the cells of a table of translations come to, over their seeds."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int
from scipy import stats

from jaxgen.array_checks import of_shape
from jaxgen.metrics import TranslationScore, TranslationTerms, translation_score
from jaxgen.types import Info, Key
from jaxgen.workbench.run import Table
from jaxgen.workbench.summary import mean_over_seeds
from jaxgen.workbench.sweeps import Swept
from jaxgen.workbench.translation import Judged

NUMBERS = {
    "class_kept": "class kept",
    "class_kept_permuted": "under the best permutation",
    "permuted_chance": "its chance",
    "pair_l1": "L1 to the true partner",
    "cycle_l1": "cycle L1",
    "hidden_by_rounding": "more if rounded",
    "hidden_by_noise": "more with noise",
}
"""Of a translation, in words."""

UNPAIRED = ("rounded_cycle", "frechet", "mmd", "disagreement")
"""Scores that see no pairs, less being better."""


class JudgedCell(NamedTuple):
    """A cell of the table.

    Attributes:
      judged: its trainings, at their end.
      labels: of the test images.
      shown: rows of its picture.
    Example:
      >>> terms = TranslationTerms(
      ...     np.zeros((2, 3)), np.array([[0, 1, 1], [0, 1, 2]]), *np.zeros((3, 2, 3))
      ... )
      >>> judged = Judged(terms, terms, UnpairedScores(*np.zeros((3, 2))), np.zeros(2))
      >>> JudgedCell(judged, np.array([0, 1, 2]), {}).labels.shape
      (3,)
    """

    judged: Judged
    labels: Int[np.ndarray, "n"]
    shown: dict[str, Array]


def translation_numbers(judged: Judged, labels: Int[np.ndarray, "n"]) -> Info:
    """Returns what an epoch records: means over the trainings, and `of_seeds` what they are of.

    `class_kept` is that of X to Y, `class_kept_back` of Y to X.

    Example:
      >>> terms = TranslationTerms(
      ...     np.zeros((2, 3)), np.array([[0, 1, 1], [0, 1, 2]]), *np.zeros((3, 2, 3))
      ... )
      >>> judged = Judged(terms, terms, UnpairedScores(*np.zeros((3, 2))), np.zeros(2))
      >>> translation_numbers(judged, np.array([0, 1, 2]))["class_kept_of_seeds"].tolist()
      [0.6667, 1.0]
    """
    of_shape("labels", labels, np.shape(judged.there.predicted)[1:])
    of_seeds = {**seeds_numbers(judged, labels), **unpaired_numbers(judged)}
    means = {name: np.mean(values) for name, values in of_seeds.items()}
    return {**means, **{f"{name}_of_seeds": values for name, values in of_seeds.items()}}


def seeds_numbers(judged: Judged, labels: Int[np.ndarray, "n"]) -> Info:
    """Returns the numbers of each training that see the pairs."""
    there, back = judged.there, judged.back
    return {
        "class_kept": np.mean(np.asarray(there.predicted) == labels, axis=1),
        "class_kept_back": np.mean(np.asarray(back.predicted) == labels, axis=1),
        "pair_l1": np.mean(there.pair_l1, axis=1),
        "cycle_l1": np.mean(there.cycle_l1, axis=1),
    }


def unpaired_numbers(judged: Judged) -> Info:
    """Returns the numbers of each training that see none."""
    return {**judged.unpaired._asdict(), "disagreement": judged.disagreement}


def report_translations(key: Key, swept: Swept[JudgedCell]) -> tuple[dict[str, Any], list[Table]]:
    """Returns the result and the tables of cells: means over seeds with 95% intervals.

    And how well scores that see no pairs rank translations as `class_kept` does: Spearman's
    correlation over the seeds and epochs of each cell, and over the last epochs of all cells.

    Example:
      >>> terms = TranslationTerms(
      ...     np.zeros((2, 3)), np.array([[0, 1, 1], [0, 1, 2]]), *np.zeros((3, 2, 3))
      ... )
      >>> judged = Judged(terms, terms, UnpairedScores(*np.zeros((3, 2))), np.zeros(2))
      >>> labels = np.array([0, 1, 2])
      >>> numbers = translation_numbers(judged, labels)
      >>> records = [{f"validation_{name}": value for name, value in numbers.items()}]
      >>> swept = Swept(
      ...     {"local": JudgedCell(judged, labels, {})}, {}, {"local": records}, {"local": 1.0}
      ... )
      >>> result, tables = report_translations(key, swept)
      >>> float(result["cells"]["local"]["class_kept"]["mean"])
      0.8333
    """
    cells = {name: _cell(key, cell) for name, cell in swept.results.items()}
    columns = ["", *(f"{label}" for label in NUMBERS.values()), "class kept, Y to X"]
    rows = [
        [name, *(_shown(cell[number]) for number in NUMBERS), _shown(cell["back"]["class_kept"])]
        for name, cell in cells.items()
    ]
    ranks = {
        name: {score: _rank(records, score) for score in UNPAIRED}
        for name, records in swept.records.items()
    }
    last = [records[-1] for records in swept.records.values() if records]
    if len(last) > 1:
        ranks["all cells at their end"] = {score: _rank(last, score) for score in UNPAIRED}
    seeds = len(next(iter(swept.results.values())).judged.disagreement)
    tables = [
        Table(f"Translations, X to Y, {seeds} seeds", columns, rows),
        Table(
            "Rank correlation with the class kept (a score to choose by: 1)",
            ["over", *(score.replace("_", " ") for score in UNPAIRED)],
            [[name, *("-" if of is None else of for of in ranks[name].values())] for name in ranks],
        ),
    ]
    return {"cells": cells, "rank_correlations": ranks, "failed": swept.failed}, tables


def rank_correlation(scores: Float[np.ndarray, "n"], truth: Float[np.ndarray, "n"]) -> float | None:
    """Returns Spearman's correlation of two numbers; None if one of them never changes.

    Example:
      >>> rank_correlation(np.array([3.0, 2.0, 1.0]), np.array([0.1, 0.2, 0.9]))  # -1
    """
    if len(scores) < 2 or np.ptp(scores) == 0 or np.ptp(truth) == 0:
        return None
    found: Any = stats.spearmanr(scores, truth)
    return float(found.statistic)


def _rank(records: list[dict[str, Any]], score: str) -> float | None:
    def all_of(name: str) -> np.ndarray:
        return np.concatenate([record[f"validation_{name}_of_seeds"] for record in records])

    return rank_correlation(-all_of(score), all_of("class_kept"))


def _cell(key: Key, cell: JudgedCell) -> dict[str, Any]:
    there, back = (
        _over_seeds(jax.random.fold_in(key, i), terms, cell.labels)
        for i, terms in enumerate((cell.judged.there, cell.judged.back))
    )
    unpaired = {name: np.asarray(of) for name, of in unpaired_numbers(cell.judged).items()}
    return {**there, "back": back, "unpaired_of_seeds": unpaired}


def _over_seeds(key: Key, terms: TranslationTerms, labels: Int[np.ndarray, "n"]) -> dict[str, Any]:
    """Returns each number's mean over the seeds, its interval, and what the seeds have."""
    count = len(terms.pair_l1)
    scores = [
        translation_score(k, TranslationTerms(*(np.asarray(of[i]) for of in terms)), labels)
        for i, k in enumerate(jax.random.split(key, count))
    ]
    return {name: _mean([getattr(of, name) for of in scores]) for name in TranslationScore._fields}


def _mean(of_seeds: list[Any]) -> dict[str, Any]:
    values = np.array([of if isinstance(of, float) else of.value for of in of_seeds])
    mean = mean_over_seeds(values)
    ends = None if isinstance(of_seeds[0], float) else [[of.low, of.high] for of in of_seeds]
    return {
        "mean": mean.value,
        "half_width": mean.half_width,
        "of_seeds": values,
        "intervals_over_images": ends,
    }


def _shown(number: dict[str, Any]) -> str:
    half = number["half_width"]
    return f"{number['mean']:.3f}" + ("" if half is None else f" ± {half:.3f}")

"""What is said of an estimator: part by part of each problem, and as a whole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import NamedTuple

from jaxgen.certify.report_text import report_text
from jaxgen.certify.row import Row, relative_variance


class Judged(NamedTuple):
    """An estimator on one part of one problem's params, beside others at equal evaluations.

    Attributes:
      points: a row for every point of the problem's trajectory; the last is compared.
      score_function: the row of the score function at the last point.
      best: of the unbiased rivals the one of the least variance x evaluations there; its name is
        `best.estimator`.
      counted: evaluations of f in one call, counted; the rows have what the estimator says.
      exact_variance: at the last point, by enumeration of the samples; None where it is not known.
      exact_bias: length of the exact mean less the exact gradient over the gradient's, likewise.
    Example:
      >>> report = estimator_report(disarm, [toy(0.45)], rivals={})
      >>> report.judged[0].relative  # of the score function's variance, with its interval
    """

    points: tuple[Row, ...]
    score_function: Row
    best: Row
    counted: int
    exact_variance: float | None = None
    exact_bias: float | None = None

    @property
    def row(self) -> Row:
        """The estimator's row at the last point."""
        return self.points[-1]

    @property
    def relative(self) -> tuple[float, float, float]:
        """Variance x evaluations over the score function's, between the ends of its interval."""
        return relative_variance(self.row, self.score_function)

    @property
    def best_relative(self) -> tuple[float, float, float]:
        """The same of the best known."""
        return relative_variance(self.best, self.score_function)

    @property
    def name(self) -> str:
        """Of the problem, and of the part if it has several."""
        row = self.row
        return row.problem if row.subtree == "params" else f"{row.problem} {row.subtree}"

    @property
    def worst(self) -> Row:
        """The row of the largest |z|."""
        return max(self.points, key=lambda row: row.worst_z)


class EstimatorReport(NamedTuple):
    """What many draws say of an estimator, problem by problem; printed, it is a page of Markdown.

    Attributes:
      claims_unbiased: what the estimator says of itself.
      judged: the parts of the problems that it accepts.
      refused: of the other problems, by name, its words.
      false_alarm: chance that an unbiased estimator is called biased anywhere here.
    Example:
      >>> report = estimator_report(disarm, [toy(0.45)], rivals={})
      >>> report.biased
      ()
      >>> print(report)  # a table
    """

    claims_unbiased: bool
    judged: tuple[Judged, ...]
    refused: Mapping[str, str]
    false_alarm: float

    @property
    def threshold(self) -> float:
        """The |z| above which a coordinate is called biased (Bonferroni, normal approximation)."""
        compared = sum(row.coordinates for of in self.judged for row in of.points)
        return -NormalDist().inv_cdf(self.false_alarm / 2 / max(compared, 1))

    @property
    def biased(self) -> tuple[Judged, ...]:
        """Where a bias was seen: by sampling, or in the exact mean."""
        return tuple(
            of
            for of in self.judged
            if of.worst.worst_z > self.threshold or (of.exact_bias or 0.0) > 1e-4
        )

    @property
    def dearer(self) -> tuple[Judged, ...]:
        """Where f was evaluated more often than the estimator says."""
        return tuple(of for of in self.judged if of.counted > of.row.evaluations)

    @property
    def holds(self) -> bool:
        """Whether the estimator is what it says: as dear, and without a bias that it denies."""
        return not (self.dearer or (self.claims_unbiased and self.biased))

    def smallest_bias(self, judged: Judged) -> float:
        """The bias of one coordinate, over the gradient's length, seen with probability .999.

        At the point where it is largest, of those where the gradient is not (almost) zero.
        """
        longest = max(abs(row.reference) for row in judged.points)
        errors = [r.bias_error for r in judged.points if abs(r.reference) > 1e-3 * longest]
        return (self.threshold + 3.1) * max(errors, default=math.inf)

    def __str__(self) -> str:
        return report_text(self)

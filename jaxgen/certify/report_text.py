"""An estimator's certificate as a page of text: a table in Markdown that lines up in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxgen.certify.judged import EstimatorReport, Judged

COLUMNS = (
    *("gradient", "worst z", "smallest bias seen", "E", "variance", "95% interval", "exact"),
    *("of score function's", "best known", "its", "ms"),
)


def report_text(report: EstimatorReport) -> str:
    """Returns the page: the verdict, a line for every part of a problem, and the refusals."""
    rows = [_row(report, of) for of in report.judged]
    lines = [_verdict(report), ""]
    if report.dearer:
        names = ", ".join(of.name for of in report.dearer)
        lines += [f"**It takes more evaluations of f than it says**: {names}.", ""]
    lines += [*aligned(COLUMNS, rows), "", LEGEND]
    if report.refused:
        lines += ["", "Refused:", ""]
        lines += [f"- {name}: {words}" for name, words in report.refused.items()]
    return "\n".join(lines)


LEGEND = (
    "z: bias in standard errors, the largest of all coordinates and points. Smallest bias seen: of "
    "one coordinate, in percent of the gradient's length, with probability .999. E: evaluations of "
    "f per datapoint and gradient, as it says, and counted. Variance: of one gradient, at the last "
    "point; exact where the samples could be enumerated. Of the score function's: at equal "
    "evaluations. Best known: the unbiased estimator of the least variance at equal evaluations."
)


def _verdict(report: EstimatorReport) -> str:
    chance = f"false-alarm rate {report.false_alarm:g}, |z| > {report.threshold:.1f}"
    if not report.biased:
        claim = "as it says" if report.claims_unbiased else "though it says that it is biased"
        return f"**No bias seen**, {claim} ({chance})."
    parts = ", ".join(of.name for of in report.biased)
    if report.claims_unbiased:
        return f"**BIASED, though it says that it is unbiased**: {parts} ({chance})."
    return f"**Biased**, as it says: {parts} ({chance})."


def _row(report: EstimatorReport, judged: Judged) -> list[str]:
    row, (low, value, high) = judged.row, judged.relative
    seen = f"{judged.worst.worst_z:.1f}"
    if judged in report.biased:
        bias = judged.worst.bias if judged.exact_bias is None else judged.exact_bias
        seen += f" BIASED by {100 * bias:.3g}%"
    return [
        judged.name,
        seen,
        f"{100 * report.smallest_bias(judged):.2g}%",
        str(row.evaluations) + (f" (takes {judged.counted})" if judged in report.dearer else ""),
        f"{row.variance:.4g}",
        f"{row.variance_low:.4g} to {row.variance_high:.4g}",
        "" if judged.exact_variance is None else f"{judged.exact_variance:.4g}",
        f"{value:.3g} ({low:.3g} to {high:.3g})",
        judged.best.estimator,
        f"{judged.best_relative[1]:.3g}",
        f"{1e3 * row.seconds_per_gradient:.2g}",
    ]


def aligned(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns the lines of a table in Markdown whose cells are as wide as their column.

    Example:
      >>> from jaxgen.certify.report_text import aligned
      >>> aligned(["a", "b"], [["1", "22"]])[-1]
      '| 1 | 22 |'
    """
    widths = [max(len(line[i]) for line in (columns, *rows)) for i in range(len(columns))]
    rule = ["-" * width if i == 0 else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    body = [
        [
            cell.rjust(w) if i else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ]
        for line in (columns, rule, *rows)
    ]
    return [f"| {' | '.join(line)} |" for line in body]

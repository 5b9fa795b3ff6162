"""Rows of a measurement as tables to print."""

from __future__ import annotations

from collections.abc import Sequence

from jaxgen.certify.row import Row

COLUMNS = ("estimator", "E", "variance", "+-%", "bias z", "SNR", "ms", "var x E", "var x s")


def tables(rows: Sequence[Row]) -> list[tuple[str, tuple[str, ...], list[list[object]]]]:
    """Returns a title, columns and lines for every part of every problem, at its last point.

    The least variance stands first. E counts evaluations of f; `+-%` is the half width of the 95%
    interval of the variance, in percent of it; `bias z` of an unbiased estimator stays within a
    few; ms is the time of one gradient.

    Example:
      >>> from jaxgen.workbench import print_table
      >>> for table in tables(measure(toy(0.45), {"DisARM": disarm}, num_draws=40)):
      ...     print_table(*table)
    """
    last = {row.problem: row.step for row in rows}
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.step == last[row.problem]:
            title = f"{row.problem}, {row.point}: gradient of {row.subtree}"
            groups.setdefault(title, []).append(row)
    return [
        (title, COLUMNS, [_line(row) for row in sorted(group, key=lambda row: row.variance)])
        for title, group in groups.items()
    ]


def _line(row: Row) -> list[object]:
    half_width = 50 * (row.variance_high - row.variance_low) / (row.variance or 1)
    return [
        row.estimator if row.unbiased else f"{row.estimator} (biased)",
        row.evaluations,
        _rounded(row.variance, 4),
        round(half_width, 1),
        round(row.bias_z, 1),
        _rounded(row.snr, 3),
        _rounded(1e3 * row.seconds_per_gradient, 2),
        _rounded(row.variance_x_evaluations, 3),
        _rounded(row.variance_x_time, 2),
    ]


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")

"""Rows of the variance benchmark as files, tables and pictures."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Row
from experiments.harness.pictures import DPI, INK
from experiments.harness.records import to_json
from experiments.harness.table import print_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "os^vDPX*<>h"


def write_rows(rows: Sequence[Row], about: Mapping[str, Any], out: Path) -> None:
    """Writes rows.csv, rows.jsonl and about.json; numbers with six significant digits."""
    plain = [{k: _short(v) for k, v in row._asdict().items()} for row in rows]
    with open(out / "rows.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, Row._fields)
        writer.writeheader()
        writer.writerows(plain)
    (out / "rows.jsonl").write_text("".join(to_json(row) + "\n" for row in plain), encoding="utf-8")
    (out / "about.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def print_rows(rows: Sequence[Row]) -> None:
    """Prints a table of every part of every problem at its last point, least variance first.

    `+-` is the half width of the 95% interval of the variance; E counts evaluations of f.
    """
    last = {row.problem: row.step for row in rows}
    tables: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row.step == last[row.problem]:
            tables.setdefault((row.problem, row.point, row.subtree), []).append(row)
    for (problem, point, part), group in tables.items():
        print_table(
            f"{problem}, {point}: gradient of {part}",
            ["estimator", "E", "variance", "+-", "bias z", "SNR", "ms", "var x E", "var x s"],
            [
                [
                    r.estimator,
                    r.evaluations,
                    f"{r.variance:.4g}",
                    f"{50 * (r.variance_high - r.variance_low) / (r.variance or 1):.1f}%",
                    f"{r.bias_z:+.1f}",
                    f"{r.snr:.3g}",
                    f"{1e3 * r.seconds_per_gradient:.2g}",
                    f"{r.variance_x_evaluations:.3g}",
                    f"{r.variance_x_time:.2g}",
                ]
                for r in sorted(group, key=lambda r: r.variance)
            ],
        )


def pictures(rows: Sequence[Row]) -> dict[str, Figure]:
    """Returns for each problem's first part its variance along the trajectory, and its cost."""
    figures = {}
    for problem, group in groupby(rows, lambda row: row.problem):
        mine = list(group)
        part = mine[0].subtree
        mine = [row for row in mine if row.subtree == part]
        if len({row.step for row in mine}) > 1:
            figures[f"{problem}-variance"] = variance_curves(mine)
        figures[f"{problem}-cost"] = cost_bars(mine)
    return figures


def variance_curves(rows: Sequence[Row]) -> Figure:
    """Returns the variance of each estimator against the points of the trajectory.

    The smallest budget is drawn, with its intervals as bands; names stand at the curves' ends.

    Args:
      rows: of one problem and one part of its params.
    Example:
      variance_curves(measure(quadratic(), estimators)).savefig("variance.png")
    """
    figure, (axes,) = _figure(f"{rows[0].problem}: variance of the gradient of {rows[0].subtree}")
    points = list(dict.fromkeys(row.point for row in rows))
    ends = []
    for i, (name, curve) in enumerate(_curves(rows).items()):
        x = [points.index(row.point) for row in curve]
        variances = [max(row.variance, _floor(rows)) for row in curve]
        color, line = f"C{i % 10}", "-" if i < 10 else "--"
        axes.plot(x, variances, line, lw=1.6, color=color, marker=MARKERS[i % len(MARKERS)], ms=4.5)
        low = [max(row.variance_low, _floor(rows)) for row in curve]
        high = [max(row.variance_high, _floor(rows)) for row in curve]
        axes.fill_between(x, low, high, color=color, alpha=0.2, lw=0)
        ends.append((variances[-1], name, color, curve[-1].evaluations))
    axes.set_yscale("log")
    axes.set_xticks(range(len(points)), points)
    axes.set_ylabel("trace of the covariance, one gradient", color=INK)
    _label_ends(axes, ends, len(points) - 1)
    return figure


def cost_bars(rows: Sequence[Row]) -> Figure:
    """Returns variance x evaluations and variance x time at the last point, the best on top.

    Args:
      rows: of one problem and one part of its params.
    """
    title = f"{rows[0].problem}, {rows[-1].point}: cost of the gradient of {rows[0].subtree}"
    last = [curve[-1] for curve in _curves(rows).values()]
    last.sort(key=lambda row: row.variance_x_evaluations, reverse=True)
    figure, both = _figure(title, panels=2, height=1.2 + 0.27 * len(last))
    for axes, quantity, label in zip(
        both,
        ("variance_x_evaluations", "variance_x_time"),
        ("variance x evaluations of f", "variance x seconds"),
        strict=True,
    ):
        values = [getattr(row, quantity) for row in last]
        floor = _floor(rows) * min(v / row.variance for v, row in zip(values, last, strict=True))
        values = [max(value, floor) for value in values]
        relative = [row.variance_high / row.variance for row in last]
        widths = [v * (r - 1 / r) for v, r in zip(values, relative, strict=True)]
        lefts = [v / r for v, r in zip(values, relative, strict=True)]
        biased = [abs(row.bias_z) > 5 for row in last]
        colors = ["#d9a441" if b else "#4c78a8" for b in biased]
        axes.barh(range(len(last)), values, color=colors, height=0.72)
        axes.barh(range(len(last)), widths, left=lefts, color=INK, height=0.12, alpha=0.8)
        axes.set_xscale("log")
        axes.set_xlabel(label, color=INK)
        axes.grid(axis="x", alpha=0.25)
        axes.set_axisbelow(True)
    names = [f"{row.estimator} ({row.evaluations})" for row in last]
    both[0].set_yticks(range(len(last)), names)
    both[1].set_yticks([])
    if any(abs(row.bias_z) > 5 for row in last):
        both[1].plot([], [], "s", color="#d9a441", label="biased (|z| > 5)")
        both[1].legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def _curves(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each estimator at its smallest budget."""
    curves: dict[str, list[Row]] = {}
    for row in rows:
        curve = curves.setdefault(row.estimator, [])
        if not curve or row.samples == curve[0].samples:
            curve.append(row)
    return curves


def _floor(rows: Sequence[Row]) -> float:
    """Where a variance that is zero but for rounding is drawn."""
    return 1e-9 * max(row.variance for row in rows)


def _label_ends(axes: Axes, ends: list[tuple[float, str, str, int]], x: int) -> None:
    """Writes each name beside the end of its curve, moved up where it would hide another."""
    low, high = (math.log10(limit) for limit in axes.get_ylim())
    line, place = (high - low) / 24, -math.inf
    for value, name, color, evaluations in sorted(ends):
        place = max(math.log10(value), place + line)
        axes.annotate(
            f"{name} ({evaluations})",
            (x, value),
            (x * 1.04 + 0.04, 10**place),
            color=color,
            fontsize=8,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "lw": 0.5, "alpha": 0.6},
        )


def _figure(title: str, panels: int = 1, height: float = 5.0) -> tuple[Figure, Sequence[Axes]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, max(height, 2.4)), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=11)
    all_axes = figure.subplots(1, panels, squeeze=False)[0]
    for axes in all_axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y" if panels == 1 else "x", alpha=0.25)
    return figure, list(all_axes)


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value

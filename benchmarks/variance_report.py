"""Rows of the variance benchmark as files, tables and pictures."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from jaxgen.certify import Row
from jaxgen.pictures import INK, panels, plot
from jaxgen.workbench import to_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "os^vDPX*<>h"
COLORS = [f"C{i}" for i in range(10)] + ["#14375e", "#7a4a00", "#1b5e20", "#880e4f", "#4a148c"]


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
    console = Console()
    console = Console(width=max(console.width, 100))  # no narrower in a pipe
    for (problem, point, part), group in tables.items():
        title = f"{problem}, {point}: gradient of {part}"
        table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE)
        table.add_column("estimator")
        for heading in ("E", "variance", "+-", "bias z", "SNR", "ms", "var x E", "var x s"):
            table.add_column(heading, justify="right")
        for r in sorted(group, key=lambda r: r.variance):
            half_width = 50 * (r.variance_high - r.variance_low) / (r.variance or 1)
            table.add_row(
                r.estimator if r.unbiased else f"{r.estimator} (biased)",
                str(r.evaluations),
                f"{r.variance:.4g}",
                f"{half_width:.1f}%",
                f"{r.bias_z:+.1f}",
                f"{r.snr:.3g}",
                f"{1e3 * r.seconds_per_gradient:.2g}",
                f"{r.variance_x_evaluations:.3g}",
                f"{r.variance_x_time:.2g}",
            )
        console.print(table)


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

    The smallest budget is drawn, with its intervals as bands and biased estimators dotted; names
    and evaluations of f stand at the curves' ends.

    Args:
      rows: of one problem and one part of its params.
    Example:
      variance_curves(measure(quadratic(), estimators)).savefig("variance.png")
    """
    title = f"{rows[0].problem}: variance of the gradient of {rows[0].subtree}"
    figure, axes = plot(title, ylabel="trace of the covariance, one gradient", size=(9.0, 5.0))
    axes.grid(axis="y", alpha=0.25)
    points = list(dict.fromkeys(row.point for row in rows))
    ends = []
    for i, (name, curve) in enumerate(_curves(rows).items()):
        x = [points.index(row.point) for row in curve]
        variances = [max(row.variance, _floor(rows)) for row in curve]
        color, line = COLORS[i % len(COLORS)], "-" if curve[0].unbiased else ":"
        axes.plot(x, variances, line, lw=1.6, color=color, marker=MARKERS[i % len(MARKERS)], ms=4.5)
        low = [max(row.variance_low, _floor(rows)) for row in curve]
        high = [max(row.variance_high, _floor(rows)) for row in curve]
        axes.fill_between(x, low, high, color=color, alpha=0.2, lw=0)
        text = f"{name} ({curve[0].evaluations})" + ("" if curve[0].unbiased else ", biased")
        ends.append((variances[-1], text, color))
    axes.set_yscale("log")
    axes.set_xticks(range(len(points)), points)
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
    size = (4.5, max(1.2 + 0.27 * len(last), 2.4))
    figure, both = panels(["", ""], columns=2, size=size, title=title)
    for axes, quantity, label in zip(
        both,
        ("variance_x_evaluations", "variance_x_time"),
        ("variance x evaluations of f", "variance x seconds"),
        strict=True,
    ):
        # A variance of zero is zero but for rounding: drawn, but not to scale.
        floor = _floor(rows) / max(row.variance for row in last)
        largest = max(getattr(row, quantity) for row in last)
        values = [max(getattr(row, quantity), floor * largest) for row in last]
        colors = ["#4c78a8" if row.unbiased else "#d9a441" for row in last]
        axes.barh(range(len(last)), values, color=colors, height=0.72)
        errors = [
            [
                v * (1 - row.variance_low / (row.variance or 1))
                for v, row in zip(values, last, strict=True)
            ],
            [
                v * (row.variance_high / (row.variance or 1) - 1)
                for v, row in zip(values, last, strict=True)
            ],
        ]
        axes.errorbar(values, range(len(last)), xerr=errors, fmt="none", ecolor=INK, capsize=2)
        axes.set_xscale("log")
        axes.set_xlim(min(values) / 4, 2 * max(values))
        axes.set_xlabel(label, color=INK)
        axes.grid(axis="x", alpha=0.25)
    names = [f"{row.estimator} ({row.evaluations})" for row in last]
    both[0].set_yticks(range(len(last)), names)
    both[1].set_yticks([])
    if not all(row.unbiased for row in last):
        both[1].plot([], [], "s", color="#d9a441", label="biased")
        both[1].legend(frameon=False, fontsize=8, loc="upper right")
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
    """Where a variance that is zero but for rounding is drawn: below all others."""
    largest = max(row.variance for row in rows)
    return min(row.variance for row in rows if row.variance >= 1e-8 * largest) / 10


def _label_ends(axes: Axes, ends: list[tuple[float, str, str]], x: int) -> None:
    """Writes each text beside the end of its curve, as near to it as the others leave room."""
    from sklearn.isotonic import isotonic_regression

    low, high = (math.log10(limit) for limit in axes.get_ylim())
    line = (high - low) / 26
    ends = sorted(ends)
    shifted = [math.log10(value) - i * line for i, (value, _, _) in enumerate(ends)]
    places = [place + i * line for i, place in enumerate(isotonic_regression(shifted))]
    for place, (value, text, color) in zip(places, ends, strict=True):
        line_to = {"arrowstyle": "-", "color": color, "lw": 0.6, "relpos": (0, 0.5), "shrinkA": 1}
        axes.annotate(
            text,
            (x, value),
            (x * 1.05 + 0.05, 10**place),
            color=color,
            fontsize=8,
            va="center",
            annotation_clip=False,
            arrowprops=line_to,
        )


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value

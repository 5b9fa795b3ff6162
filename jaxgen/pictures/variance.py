"""Variance and cost of gradient estimators, from the rows of `jaxgen.certify.measure`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from jaxgen.pictures.figure import INK, panels, plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "os^vDPX*<>h"
COLORS = [f"C{i}" for i in range(10)] + ["#14375e", "#7a4a00", "#1b5e20", "#880e4f", "#4a148c"]


@runtime_checkable
class _Row(Protocol):
    """What a picture asks of a row of `jaxgen.certify.measure`."""

    @property
    def problem(self) -> str: ...
    @property
    def estimator(self) -> str: ...
    @property
    def point(self) -> str: ...
    @property
    def subtree(self) -> str: ...
    @property
    def samples(self) -> int: ...
    @property
    def evaluations(self) -> int: ...
    @property
    def unbiased(self) -> bool: ...
    @property
    def variance(self) -> float: ...
    @property
    def variance_low(self) -> float: ...
    @property
    def variance_high(self) -> float: ...
    @property
    def variance_x_evaluations(self) -> float: ...
    @property
    def variance_x_time(self) -> float: ...


def variance_curves(rows: Sequence[_Row]) -> Figure:
    """Returns the variance of each estimator against the points of the trajectory.

    The smallest budget is drawn, with its intervals as bands and biased estimators dotted; names
    and evaluations of f stand at the curves' ends.

    Args:
      rows: of one problem and one part of its params.
    Example:
      >>> variance_curves(measure(toy(0.45), {"DisARM": disarm})).savefig("variance.png")
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


def cost_bars(rows: Sequence[_Row]) -> Figure:
    """Returns variance x evaluations and variance x time at the last point, the best on top.

    Args:
      rows: of one problem and one part of its params.
    Example:
      >>> cost_bars(measure(toy(0.45), {"DisARM": disarm})).savefig("cost.png")
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
        floor = _floor(rows) / (max(row.variance for row in last) or 1.0)
        largest = max(getattr(row, quantity) for row in last) or 1.0
        values = [max(getattr(row, quantity), floor * largest) for row in last]
        colors = ["#4c78a8" if row.unbiased else "#d9a441" for row in last]
        axes.barh(range(len(last)), values, color=colors, height=0.72)
        low, high = zip(*map(_relative_errors, last), strict=True)
        errors = [[v * e for v, e in zip(values, side, strict=True)] for side in (low, high)]
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


def _curves(rows: Sequence[_Row]) -> dict[str, list[_Row]]:
    """The rows of each estimator at its smallest budget."""
    curves: dict[str, list[_Row]] = {}
    for row in rows:
        curve = curves.setdefault(row.estimator, [])
        if not curve or row.samples == curve[0].samples:
            curve.append(row)
    return curves


def _relative_errors(row: _Row) -> tuple[float, float]:
    """How far the interval reaches below and above the variance, in parts of it."""
    if not row.variance:
        return 0.0, 0.0
    return 1 - row.variance_low / row.variance, row.variance_high / row.variance - 1


def _floor(rows: Sequence[_Row]) -> float:
    """Where a variance that is zero but for rounding is drawn: below all others."""
    largest = max(row.variance for row in rows) or 1e-12
    return min((row.variance for row in rows if row.variance >= 1e-8 * largest), default=1e-12) / 10


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

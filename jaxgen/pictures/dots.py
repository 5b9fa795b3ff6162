"""Dots with bars: a number for each name, and how far it may be off for two reasons apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from jaxgen.pictures.figure import legend_below, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Dots: TypeAlias = Mapping[str, Mapping[str, tuple[float, float, float]]]
"""Of each kind and name, the number and the half widths of a thick bar and of a thin one."""


def dots_with_bars(plots: Mapping[str, Dots], *, xlabel: str, title: str) -> Figure:
    """Returns a plot for each entry, with a row for each name and a dot for each kind in it.

    Args:
      plots: by the titles of the plots, each with the same kinds and names.
      xlabel: of the numbers, of each plot.
      title: of the figure; it says what the bars are.
    Example:
      >>> dots_with_bars(
      ...     {"all labels": {"1-NN": {"pixels": (0.98, 0.001, 0.015)}}},
      ...     xlabel="accuracy",
      ...     title="Features of the digits",
      ... )
    """
    names = list(next(iter(next(iter(plots.values())).values())))
    height = 1.2 + 0.4 * len(names)
    figure, all_axes = panels(
        list(plots), columns=len(plots), size=(4.6, height), title=title, sharey=True
    )
    for axes, kinds in zip(all_axes, plots.values(), strict=True):
        places = np.arange(len(names), dtype=float)
        for kind, (label, of_names) in enumerate(kinds.items()):
            values, thick, thin = np.array([of_names[name] for name in names]).T
            at, color = places + 0.3 * (kind - (len(kinds) - 1) / 2), f"C{kind}"
            axes.errorbar(values, at, xerr=thin, fmt="none", color=color, linewidth=1, alpha=0.6)
            axes.errorbar(
                values,
                at,
                xerr=thick,
                fmt="o",
                color=color,
                linewidth=3.5,
                markersize=5,
                label=label,
            )
        axes.set_yticks(places, names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlabel(xlabel)
        axes.grid(axis="x", alpha=0.25)
    legend_below(figure, all_axes[0])
    return figure

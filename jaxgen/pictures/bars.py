"""Bars: of one quantity, the largest first, or stacked of parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from jaxgen.pictures.figure import plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def bars(
    values: ArrayLike,
    *,
    xlabel: str = "latent dimension, largest first",
    ylabel: str = "KL (nats)",
    title: str = "KL from the prior, per latent dimension",
) -> Figure:
    """Returns the values as bars, the largest first.

    Example:
      >>> bars([0.02, 1.7, 3.1])  # such as what `jaxgen.metrics.kl_per_dimension` returns
    """
    values = np.sort(np.asarray(values, float))[::-1]
    figure, axes = plot(title, xlabel, ylabel)
    axes.bar(np.arange(1, len(values) + 1), values, width=0.8)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
    return figure


def stacked_bars(
    labels: Sequence[str],
    parts: Mapping[str, Sequence[float]],
    *,
    ylabel: str,
    title: str,
) -> Figure:
    """Returns a bar per label, made of parts that are named with their size where it fits.

    Negative parts hang below zero.

    Example:
      >>> stacked_bars(
      ...     ["train", "test"],
      ...     {"rate": [19.1, 19.3], "distortion": [70.2, 74.0]},
      ...     ylabel="nats",
      ...     title="Negative ELBO",
      ... )
    """
    figure, axes = plot(title, "", ylabel)
    places = np.arange(len(labels))
    tallest = np.abs(np.array([*parts.values()], float)).sum(axis=0).max()
    tops = {True: np.zeros(len(labels)), False: np.zeros(len(labels))}  # of either sign
    for name, values in parts.items():
        heights = np.asarray(values, float)
        bottom = np.where(heights < 0, tops[True], tops[False])
        drawn = axes.bar(places, heights, 0.5, bottom, label=name)
        labeled = np.abs(heights) > 0.05 * tallest  # a thinner part has no room for its number
        texts = [f"{h:.2f}" if room else "" for h, room in zip(heights, labeled, strict=True)]
        axes.bar_label(drawn, texts, label_type="center")
        for negative, top in tops.items():
            top += np.where((heights < 0) == negative, heights, 0)
    axes.set_xticks(places, labels)
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, reverse=True, bbox_to_anchor=(1, 1))
    return figure

"""A learning curve: what a training reports of each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgen.pictures.figure import INK, panels, plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def learning_curve(
    records: Sequence[Mapping[str, Any]],
    keys: Mapping[str, str],
    *,
    ylabel: str = "ELBO (nats per image)",
    title: str = "Learning curve",
) -> Figure:
    """Returns the quantities `keys` of `records` against the epoch, the last value of each named.

    The first twentieth of the epochs, far off the rest, does not stretch the scale: it may leave
    the picture, so that the end can be read. Below the picture stands which epochs do.

    Args:
      records: as `RunDirectory.metrics` returns them; each has an `epoch`.
      keys: from a key of the records to the name in the legend. A record may lack one or hold None.
      ylabel: the quantity, with its unit.
    Raises:
      ValueError: no record holds one of the keys.
    Example:
      >>> records = [{"epoch": 1, "train_elbo": -120.5}, {"epoch": 2, "train_elbo": -93.1}]
      >>> learning_curve(records, {"train_elbo": "train"})
    """
    figure, axes = plot(title, "epoch", ylabel)
    settled, drawn = [], []
    for key, name in keys.items():
        points = [(r["epoch"], r[key]) for r in records if r.get(key) is not None]
        if not points:
            raise ValueError(f"keys: got {key!r}, which no record holds")
        epochs, values = np.array(points, float).T
        settled.extend(values[len(values) // 20 :])
        drawn += points
        marker = "o" if len(points) == 1 else None
        axes.plot(epochs, values, marker=marker, lw=1.8, label=f"{name}  {values[-1]:.2f}")
    margin = 0.08 * (max(settled) - min(settled)) or 1.0
    low, high = min(settled) - margin, max(settled) + margin
    axes.set_ylim(low, high)
    if beyond := [epoch for epoch, value in drawn if not low <= value <= high]:
        axes.set_xlabel(f"epoch (some values up to epoch {max(beyond)} lie beyond this scale)")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.25)
    # Below the axes: curves may lie anywhere within.
    axes.legend(
        frameon=False,
        title="last epoch",
        alignment="left",
        loc="upper left",
        bbox_to_anchor=(0, -0.14),
    )
    return figure


def learning_curves(
    histories: Mapping[str, Sequence[Mapping[str, Any]]],
    keys: Mapping[str, str],
    *,
    levels: Mapping[str, float] | None = None,
    xlabel: str = "epoch",
    steps_per_epoch: int = 1,
) -> Figure:
    """Returns a column for each training and below one another the quantities `keys` of it.

    Every panel has a scale of its own: what is compared is how one quantity follows another.

    Args:
      histories: records as of `learning_curve`, by the title of their column.
      keys: from a key of the records to the name of its row, with its unit.
      levels: a value that a key should come to, dotted; its row then begins at zero.
      xlabel: what is counted.
      steps_per_epoch: how many of them an epoch has.
    Raises:
      ValueError: there are no histories.
    Example:
      >>> plain = [{"epoch": 1, "entropy": 0.2}, {"epoch": 2, "entropy": 0.3}]
      >>> packed = [{"epoch": 1, "entropy": 0.4}, {"epoch": 2, "entropy": 0.9}]
      >>> learning_curves({"plain": plain, "packed": packed}, {"entropy": "entropy of the modes"})
    """
    columns = len(histories)
    titles = [*histories, *[""] * (columns * (len(keys) - 1))]
    figure, places = panels(titles, columns=columns, size=(3.3, 2.3), sharex=True)
    for row, (key, name) in enumerate(keys.items()):
        for column, records in enumerate(histories.values()):
            axes = places[row * columns + column]
            steps = [record["epoch"] * steps_per_epoch for record in records]
            axes.plot(steps, [record[key] for record in records], color=f"C{row}", lw=1.6)
            if levels and key in levels:
                axes.axhline(levels[key], ls=":", color=INK, lw=1.0)
                axes.set_ylim(0, None)
            if column == 0:
                axes.set_ylabel(name, color=INK, fontsize=9)
            if row == len(keys) - 1:
                axes.set_xlabel(xlabel, color=INK, fontsize=9)
    return figure

"""A learning curve: what a training reports of each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgen.pictures.figure import plot

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
    the picture, so that the end can be read.

    Args:
      records: as `RunDirectory.metrics` returns them; each has an `epoch`.
      keys: from a key of the records to the name in the legend. A record may lack one or hold None.
      ylabel: the quantity, with its unit.
    Raises:
      ValueError: no record holds one of the keys.
    Example:
      learning_curve(run.metrics(), {"train_elbo": "train", "validation_elbo": "validation"})
    """
    figure, axes = plot(title, "epoch", ylabel)
    settled = []
    for key, name in keys.items():
        points = [(r["epoch"], r[key]) for r in records if r.get(key) is not None]
        if not points:
            raise ValueError(f"keys: got {key!r}, which no record holds")
        epochs, values = np.array(points, float).T
        settled.extend(values[len(values) // 20 :])
        marker = "o" if len(points) == 1 else None
        axes.plot(epochs, values, marker=marker, lw=1.8, label=f"{name}  {values[-1]:.2f}")
    margin = 0.08 * (max(settled) - min(settled)) or 1.0
    axes.set_ylim(min(settled) - margin, max(settled) + margin)
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

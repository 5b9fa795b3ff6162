"""Samples in the plane, panel by panel: a generator over time, or several of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from jaxgen.pictures.images import DPI, INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDEST = 8
"""Panels in a row."""


def scatter_strip(
    panels: Mapping[str, Float[ArrayLike, "n 2"]],
    modes: Float[ArrayLike, "k 2"],
    *,
    title: str = "",
) -> Figure:
    """Returns the panels side by side on one scale, each with the modes to be covered.

    Where they are more than fit a page they stand in rows of equal length.

    Samples beyond the modes by more than half of their extent are left out of the picture.

    Args:
      panels: samples by the panel's name.
      modes: centers of the data's modes, drawn as crosses.
    Raises:
      ValueError: there is no panel.
    Example:
      scatter_strip({"step 0": before, "step 1000": after}, ring().modes)
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not panels:
        raise ValueError("panels: got none, expected at least one")
    modes = np.asarray(modes)
    reach = 1.5 * np.abs(modes).max()
    rows = math.ceil(len(panels) / WIDEST)
    columns = math.ceil(len(panels) / rows)
    size = (1.8 * columns + 0.2, 2.0 * rows + 0.3)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=11)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in places[len(panels) :]:
        axes.remove()
    for axes, (name, samples) in zip(places, panels.items(), strict=False):
        axes.scatter(*modes.T, s=30, marker="+", color=INK, lw=0.8)
        axes.scatter(*np.asarray(samples).T, s=3, alpha=0.25, lw=0, color="C0")
        axes.set_title(name, color=INK, fontsize=8)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
        axes.spines[:].set_color("#cccccc")
    return figure

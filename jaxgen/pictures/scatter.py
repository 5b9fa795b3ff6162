"""Samples in the plane, panel by panel: a generator over time, or several of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from jaxgen.array_checks import of_shape
from jaxgen.pictures.figure import INK, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDEST = 8
"""Panels in a row."""


def scatter_strip(
    samples: Mapping[str, ArrayLike],
    modes: ArrayLike,
    *,
    title: str = "",
) -> Figure:
    """Returns the panels side by side on one scale, each with the modes to be covered.

    Where they are more than fit a page they stand in rows of equal length.

    Samples beyond the modes by more than half of their extent are left out of the picture.

    Args:
      samples: points [n, 2] by the panel's name.
      modes: centers [k, 2] of the data's modes, drawn as crosses.
    Raises:
      ValueError: there are no samples; samples or modes do not lie in a plane.
    Example:
      >>> before = np.zeros((10, 2))
      >>> after = ring().sample(seed=jax.random.key(0), sample_shape=100)
      >>> scatter_strip({"step 0": before, "step 1000": after}, ring().modes)
    """
    if not samples:
        raise ValueError("samples: got none, expected at least one")
    modes = np.asarray(modes, float)
    of_shape("modes", modes, (modes.size // 2, 2))
    for name, points in samples.items():
        of_shape(f"samples[{name!r}]", points, (np.size(points) // 2, 2))
    reach = 1.5 * np.abs(modes).max()
    columns = math.ceil(len(samples) / math.ceil(len(samples) / WIDEST))
    figure, places = panels([*samples], columns=columns, size=(1.8, 2.0), title=title)
    for axes, points in zip(places, samples.values(), strict=True):
        axes.scatter(*modes.T, s=30, marker="+", color=INK, lw=0.8)
        axes.scatter(*np.asarray(points).T, s=3, alpha=0.25, lw=0, color="C0")
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
        axes.spines[:].set(visible=True, color="#cccccc")
    return figure

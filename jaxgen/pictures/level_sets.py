"""Functions of the plane by their level sets: what a critic sees there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jaxgen.array_checks import of_shape
from jaxgen.pictures.figure import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def level_sets(
    functions: Mapping[str, Callable[[Any], ArrayLike]],
    points: ArrayLike,
    *,
    title: str = "",
    levels: int = 24,
    resolution: int = 121,
) -> Figure:
    """Returns a panel per function: so many levels, evenly spaced, beneath the points.

    The brighter, the higher. Every panel reaches half as far again as the farthest coordinate.

    Args:
      functions: from positions [m, 2], float32, to values [m], by the panel's name.
      points: [n, 2].
      resolution: positions along each axis.
    Raises:
      ValueError: there are no functions; the points do not lie in a plane.
    Example:
      >>> points = ring().sample(seed=jax.random.key(0), sample_shape=100)
      >>> level_sets({"distance": lambda xs: np.linalg.norm(xs, axis=1)}, points)
    """
    points = np.asarray(points, float)
    of_shape("points", points, (points.size // 2, 2))
    figure, places = panels([*functions], columns=len(functions), size=(3.5, 3.5), title=title)
    reach = 1.5 * np.abs(points).max()
    axis = np.linspace(-reach, reach, resolution, dtype=np.float32)
    positions = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    for axes, function in zip(places, functions.values(), strict=True):
        values = np.asarray(function(positions)).reshape(resolution, resolution)
        axes.contourf(axis, axis, values, levels, cmap="viridis", alpha=0.6)
        axes.contour(axis, axis, values, levels, colors="black", linewidths=0.4)
        axes.scatter(*points.T, s=3, lw=0, color="C1")
        axes.set(xticks=[], yticks=[], aspect="equal")
        axes.spines[:].set_visible(False)
    return figure

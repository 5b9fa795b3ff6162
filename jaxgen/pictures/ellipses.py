"""Gaussians in the plane as ellipses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from jaxgen.pictures.figure import drawn_on

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def ellipses(axes: Axes, weights: ArrayLike, means: ArrayLike, covariances: ArrayLike) -> None:
    """Draws where each Gaussian's density is exp(-1/2) and exp(-2) of its peak.

    These lie one and two standard deviations from the mean, and a legend names them so. The cross
    at the mean is the larger, the more the Gaussian weighs; colors go by its number.

    Args:
      axes: to draw on, of `plot` or `panels`.
      weights: [k], summing to one.
      means: [k, 2].
      covariances: [k, 2, 2], or [k, 2] of variances.
    Raises:
      ValueError: the shapes are others; axes is no plot.
    Example:
      >>> figure, axes = plot("Components")
      >>> ellipses(axes, [0.5, 0.5], [[0, 0], [3, 1]], [[1, 1], [0.5, 2]])
    """
    drawn_on("axes", axes, "plot")
    weights, means, spreads = (np.asarray(x, float) for x in (weights, means, covariances))
    if means.shape != (len(weights), 2) or spreads.shape not in (means.shape, (*means.shape, 2)):
        raise ValueError(
            f"means: got shapes {weights.shape}, {means.shape} and {spreads.shape} of weights, "
            "means and covariances, expected (k,), (k, 2), and (k, 2, 2) or (k, 2)"
        )
    turn = np.linspace(0, 2 * np.pi, 100)
    circle: Float[np.ndarray, "2 100"] = np.stack([np.cos(turn), np.sin(turn)])
    for k, (mean, spread) in enumerate(zip(means, spreads, strict=True)):
        scale = np.linalg.cholesky(spread if spread.ndim == 2 else np.diag(spread))
        for radius, name in ((1, "one standard deviation"), (2, "two standard deviations")):
            outline = mean[:, None] + radius * scale @ circle
            label = name if k == 0 else None
            axes.plot(*outline, color=f"C{k % 10}", lw=1.6 / radius, label=label)
        axes.scatter(*mean, s=20 + 200 * weights[k], color=f"C{k % 10}", marker="+")

"""Log densities in the plane, as pictures of one scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jaxgen.checks import at_least, positive
from jaxgen.pictures.figure import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def densities(
    log_densities: Mapping[str, Callable[[Any], ArrayLike]],
    reach: float,
    *,
    lowest: float = -10.0,
    title: str = "",
    resolution: int = 400,
) -> Figure:
    """Returns a panel per density, the darker the higher its logarithm, all on one scale.

    Args:
      log_densities: from positions [m, 2], float32, to nats [m], by the panel's name.
      reach: of every panel, from the origin to each side.
      lowest: log density from which on a point is white.
      resolution: positions along each axis.
    Raises:
      ValueError: there are no densities; reach is not positive, or resolution below two.
    Example:
      >>> densities({"ring": ring().log_prob}, 3.0)
    """
    reach, resolution = positive("reach", reach), at_least("resolution", resolution, 2)
    figure, places = panels(
        [*log_densities], columns=len(log_densities), size=(3.2, 3.2), title=title
    )
    axis = np.linspace(-reach, reach, resolution, dtype=np.float32)
    positions = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    values = [np.asarray(of(positions)).reshape(resolution, -1) for of in log_densities.values()]
    highest = max(float(np.nanmax(of)) for of in values)
    for axes, value in zip(places, values, strict=True):
        axes.imshow(
            value, origin="lower", cmap="magma_r", vmin=lowest, vmax=max(highest, lowest + 1),
            extent=(-reach, reach, -reach, reach), interpolation="bilinear",
        )  # fmt: skip
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    return figure

"""In which order a masked net sees the entries of its input, and how far its hidden units see."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from jaxgen.checks import at_least
from jaxgen.values import known_by_call


def raster(size: int) -> Int[np.ndarray, "1 size"]:
    """Returns the one order in which entries lie: row by row, from left to right.

    Example:
      >>> raster(4).tolist()
      [[0, 1, 2, 3]]
    """
    return np.arange(at_least("size", size, 1))[None]


@known_by_call
def random_orders(count: int, seed: int = 0):
    """Returns the function from a size to [count, size] positions, each row a permutation.

    Raises:
      ValueError: count is below one.
    Example:
      >>> net = MADE((16,), orders=random_orders(8))  # of (x, (context, order)), order below 8
      >>> random_orders(8)(4).shape  # the positions of 4 entries in each
      (8, 4)
    Source: Uria et al. (2014), "A deep and tractable density estimator".
    """
    count, seed = at_least("count", count, 1), at_least("seed", seed, 0)

    def positions(size: int) -> Int[np.ndarray, "count size"]:
        rng = np.random.default_rng(seed)
        return np.stack([rng.permutation(size) for _ in range(count)])

    return positions


def even_degrees(layer: int, width: int, size: int) -> Int[np.ndarray, "width"]:
    """Returns the degrees of a layer's units, spread evenly over 0 to size - 2.

    A unit of degree m sees the entries of positions up to m, and is seen by those after it.

    Example:
      >>> even_degrees(0, 5, 4).tolist()
      [0, 0, 1, 1, 2]
    """
    width, size = at_least("width", width, 1), at_least("size", size, 1)
    return np.arange(width) * max(size - 1, 1) // width


@known_by_call
def random_degrees(seed: int = 0):
    """Returns the function from a layer, its width and a size to degrees drawn uniformly.

    Example:
      >>> net = MADE((16,), degrees=random_degrees(seed=1))
      >>> random_degrees(seed=1)(0, 100, 4).max()  # of a layer of 100 units, x of 4 entries
      np.int64(2)
    Source: Germain et al. (2015), section 3.
    """
    seed = at_least("seed", seed, 0)

    def degrees(layer: int, width: int, size: int) -> Int[np.ndarray, "width"]:
        return np.random.default_rng((seed, layer)).integers(0, max(size - 1, 1), width)

    return degrees

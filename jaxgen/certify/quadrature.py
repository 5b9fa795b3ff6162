"""The integral of a density over the line or the plane, by quadrature that follows its modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

NODES = 5
"""Of Gauss and Legendre in each dimension of a cell: exact for polynomials of degree nine."""
FIRST_CELLS = {1: 256, 2: 24}
"""In each dimension, before any is divided."""


class Cells(NamedTuple):
    """A partition of the space into boxes of u in [0, 1]^d, the mass in each, and its error.

    Attributes:
      corners: the lower ones.
      widths: of each box in every dimension.
      masses: the integral of the density over each.
      errors: how far two rules of quadrature differ there.
    """

    corners: Float[np.ndarray, "cells dims"]
    widths: Float[np.ndarray, "cells dims"]
    masses: Float[np.ndarray, "cells"]
    errors: Float[np.ndarray, "cells"]


class Chart(NamedTuple):
    """A map of the space onto the unit cube, dimension by dimension.

    A bounded one is linear. An unbounded one is u = 1/2 + atan((x - center) / scale) / pi, which
    leaves no tail out.

    Attributes:
      center: of each dimension, or the lower bound.
      scale: of each dimension, or the length of the interval.
      bounded: whether the space is.
    """

    center: Float[np.ndarray, "dims"]
    scale: Float[np.ndarray, "dims"]
    bounded: bool

    def to_space(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns x at u, [n, dims], and the log of the volume of x per volume of u."""
        if self.bounded:
            return self.center + self.scale * u, np.full(len(u), np.log(self.scale).sum())
        angle = np.pi * (u - 0.5)
        slope = np.log(np.pi * self.scale) - 2 * np.log(np.cos(angle))
        return self.center + self.scale * np.tan(angle), slope.sum(axis=1)

    def to_cube(self, x: np.ndarray) -> np.ndarray:
        """Returns u at x."""
        standardized = (x - self.center) / self.scale
        return standardized if self.bounded else 0.5 + np.arctan(standardized) / np.pi


def integrate(
    log_density: Callable[[np.ndarray], np.ndarray],
    chart: Chart,
    hints: Float[np.ndarray, "n dims"],
    *,
    tolerance: float,
    max_cells: int,
) -> Cells:
    """Returns the masses of cells, divided until their errors sum to `tolerance` at most.

    A mode narrower than the first cells is not missed if a hint lies in it: where a cell's share of
    the hints is more than its mass could give rise to, it is divided.

    Args:
      log_density: of points x, [n, dims], to [n].
      hints: points where mass is expected, such as draws.
      max_cells: to stop at, whatever the error.
    """
    dims = len(chart.center)
    side = FIRST_CELLS[dims]
    grid = np.stack(np.meshgrid(*[np.arange(side)] * dims, indexing="ij"), axis=-1)
    corners = grid.reshape(-1, dims) / side
    live = _measured(log_density, chart, corners, np.full_like(corners, 1 / side))
    hints_u = chart.to_cube(hints)
    done: list[Cells] = []
    total = len(corners)
    while total < max_cells:
        share = _counts(live, hints_u) / len(hints)
        # What the settled cells may still err by is spread over all that there can be.
        wrong = live.errors > tolerance * np.maximum(live.masses, 1 / total) / 4
        unseen = share > 2 * live.masses + 10 / len(hints)
        again = wrong | unseen
        done.append(_chosen(live, ~again))
        parts = _chosen(live, again)
        if not again.any():
            break
        corners, widths = _halves(parts.corners, parts.widths)
        live = _measured(log_density, chart, corners, widths)
        total += len(corners) - len(parts.masses)
    else:
        done.append(live)
    return Cells(*(np.concatenate(parts) for parts in zip(*done, strict=True)))


def count_within(cells: Cells, chart: Chart, xs: Float[np.ndarray, "n dims"]) -> np.ndarray:
    """Returns how many of the points lie in each cell."""
    return _counts(cells, chart.to_cube(xs))


def _counts(cells: Cells, us: np.ndarray) -> np.ndarray:
    counts = np.zeros(len(cells.masses))
    # All cells of one width are a lattice: a point's cell there is found by its index.
    widths, which = np.unique(cells.widths, axis=0, return_inverse=True)
    for group, width in enumerate(widths):
        members = np.flatnonzero(which.reshape(-1) == group)
        sides = np.rint(1 / width).astype(np.int64)
        cell_index = _flat(np.rint(cells.corners[members] / width).astype(np.int64), sides)
        inside = np.all((us >= 0) & (us < 1), axis=1)
        point_index = _flat(np.floor(us[inside] / width).astype(np.int64), sides)
        order = np.argsort(cell_index)
        at = np.searchsorted(cell_index[order], point_index).clip(max=len(members) - 1)
        found = cell_index[order][at] == point_index
        counts[members[order]] += np.bincount(at[found], minlength=len(members))
    return counts


def _flat(index: np.ndarray, sides: np.ndarray) -> np.ndarray:
    return index[:, 0] if index.shape[1] == 1 else index[:, 0] * sides[1] + index[:, 1]


def _chosen(cells: Cells, mask: np.ndarray) -> Cells:
    return Cells(*(part[mask] for part in cells))


def _halves(corners: np.ndarray, widths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    dims = corners.shape[1]
    shifts = np.stack(np.meshgrid(*[[0.0, 0.5]] * dims, indexing="ij"), axis=-1).reshape(-1, dims)
    children = corners[:, None] + shifts * widths[:, None]
    return children.reshape(-1, dims), np.repeat(widths / 2, 2**dims, axis=0)


def _measured(
    log_density: Callable[[np.ndarray], np.ndarray],
    chart: Chart,
    corners: np.ndarray,
    widths: np.ndarray,
) -> Cells:
    """Returns the cells with their masses by Gauss's rule, and how far a coarser rule differs."""
    count, dims = corners.shape
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    nodes, weights = (nodes + 1) / 2, weights / 2
    lattice = np.stack(np.meshgrid(*[nodes] * dims, indexing="ij"), axis=-1).reshape(-1, dims)
    product = np.prod(np.stack(np.meshgrid(*[weights] * dims, indexing="ij")), axis=0).ravel()
    us = (corners[:, None] + lattice * widths[:, None]).reshape(-1, dims)
    xs, log_volume = chart.to_space(us)
    values = np.exp(log_density(xs) + log_volume).reshape(count, -1)
    # What overflows far out counts for nothing: if it has mass, the total lacks it.
    values = np.nan_to_num(values, nan=0.0)
    box = np.prod(widths, axis=1)
    masses = box * (values @ product)
    # An embedded rule of degree three on the nodes that are not the middle ones.
    errors = np.abs(masses - box * (values @ _coarse(nodes, dims)))
    return Cells(corners, widths, masses, errors)


def _coarse(nodes: np.ndarray, dims: int) -> np.ndarray:
    """Returns the weights of the rule of degree three on the first, middle and last nodes."""
    chosen = nodes[[0, len(nodes) // 2, -1]]
    moments = np.array([1.0, 1 / 2, 1 / 3])
    small = np.linalg.solve(np.vander(chosen, increasing=True).T, moments)
    weights = np.zeros(len(nodes))
    weights[[0, len(nodes) // 2, -1]] = small
    return np.prod(np.stack(np.meshgrid(*[weights] * dims, indexing="ij")), axis=0).ravel()

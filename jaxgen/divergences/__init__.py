"""Comparing distributions: f-divergences, kernel and classifier two-sample tests."""

from jaxgen.divergences.contrast import Contrast
from jaxgen.divergences.kernels import (
    Kernel,
    inverse_multiquadric,
    laplace,
    median_heuristic,
    mixture,
    negative_distance,
    polynomial,
    rational_quadratic,
    rbf,
)
from jaxgen.divergences.mmd import mmd_biased, mmd_linear, mmd_unbiased, witness

__all__ = [
    "Contrast",
    "Kernel",
    "inverse_multiquadric",
    "laplace",
    "median_heuristic",
    "mixture",
    "mmd_biased",
    "mmd_linear",
    "mmd_unbiased",
    "negative_distance",
    "polynomial",
    "rational_quadratic",
    "rbf",
    "witness",
]

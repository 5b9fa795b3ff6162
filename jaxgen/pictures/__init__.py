"""Figures of images, curves, bars and samples, and the blank ones to draw upon.

Figures are matplotlib's, made without its global state: `figure.savefig("picture.png")`, or
`RunDirectory.save_picture`. Importing this room does not import matplotlib (extra `workbench`);
drawing does.

| question | answer |
|---|---|
| samples | `image_grid`; on a plane, `scatter_strip` |
| images and what became of them | `side_by_side` |
| a latent plane, decoded | `latent_grid` |
| a training | `learning_curve`; several, `learning_curves` |
| a number by name | `bars`; with intervals, `dots_with_bars` |
| numbers in a table | `heat_map` |
| densities and functions on a plane | `densities`, `level_sets` |
| variance of estimators, and its price | `variance_curves`, `cost_bars` |
| one quality against another | `frontier`, `rate_distortion_curve` |
| anything else | `plot`, `panels` |
"""

from jaxgen.boundary import doors
from jaxgen.pictures.bars import bars, stacked_bars
from jaxgen.pictures.curve_panels import curve_panels
from jaxgen.pictures.curves import against_count, against_steps, band_in_time
from jaxgen.pictures.densities import densities
from jaxgen.pictures.dots import Dots, dots_with_bars
from jaxgen.pictures.ellipses import ellipses
from jaxgen.pictures.figure import DPI, INK, blank, legend_below, panels, plot
from jaxgen.pictures.frontier import Place, frontier
from jaxgen.pictures.heat_map import heat_map
from jaxgen.pictures.images import image_grid, latent_grid, side_by_side
from jaxgen.pictures.intervals import Intervals, intervals
from jaxgen.pictures.learning_curve import learning_curve, learning_curves
from jaxgen.pictures.level_sets import level_sets
from jaxgen.pictures.rate_distortion import rate_distortion_curve
from jaxgen.pictures.rates import rates
from jaxgen.pictures.scatter import scatter_strip
from jaxgen.pictures.steps import geometric_steps
from jaxgen.pictures.variance import cost_bars, variance_curves

__all__ = [
    "DPI",
    "INK",
    "Dots",
    "Intervals",
    "Place",
    "against_count",
    "against_steps",
    "band_in_time",
    "bars",
    "blank",
    "cost_bars",
    "curve_panels",
    "densities",
    "dots_with_bars",
    "ellipses",
    "frontier",
    "geometric_steps",
    "heat_map",
    "image_grid",
    "intervals",
    "latent_grid",
    "learning_curve",
    "learning_curves",
    "legend_below",
    "level_sets",
    "panels",
    "plot",
    "rate_distortion_curve",
    "rates",
    "scatter_strip",
    "side_by_side",
    "stacked_bars",
    "variance_curves",
]

doors(__name__)

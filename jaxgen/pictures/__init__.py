"""Figures of samples, curves and trade-offs (extra `workbench`)."""

from jaxgen.pictures.curves import against_count, band_in_time
from jaxgen.pictures.images import (
    DPI,
    INK,
    bars,
    image_grid,
    latent_grid,
    learning_curve,
    side_by_side,
    stacked_bars,
)
from jaxgen.pictures.scatter import scatter_strip
from jaxgen.pictures.trade_off import trade_off

__all__ = [
    "DPI",
    "INK",
    "against_count",
    "band_in_time",
    "bars",
    "image_grid",
    "latent_grid",
    "learning_curve",
    "scatter_strip",
    "side_by_side",
    "stacked_bars",
    "trade_off",
]

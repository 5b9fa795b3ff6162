"""Blank figures of matplotlib, made without its global state: one plot, or panels in a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jaxgen.checks import at_least, positive

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150
"""Dots per inch of every picture."""
INK = "#333333"
"""The color of words and lines that are no data."""


def blank(width: float, height: float, **options: Any) -> Figure:
    """Returns an empty figure of so many inches, to be saved at `DPI` dots in each.

    It is none of pyplot's: it opens no window and is freed with its last reference.

    Args:
      options: of `matplotlib.figure.Figure`, such as `layout="constrained"`.
    Raises:
      ValueError: width or height is not positive.
      ModuleNotFoundError: matplotlib is not installed (extra `workbench`).
    Example:
      >>> axes = blank(4.0, 3.0).add_subplot()
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "jaxgen.pictures draws with matplotlib: pip install 'jaxgen[workbench]'",
            name=error.name,
        ) from None
    figsize = positive("width", width), positive("height", height)
    figure = Figure(figsize=figsize, dpi=DPI, **options)
    FigureCanvasAgg(figure)
    return figure


def plot(
    title: str = "", xlabel: str = "", ylabel: str = "", *, size: tuple[float, float] = (6.0, 4.0)
) -> tuple[Figure, Axes]:
    """Returns a figure of one plot, without the frame's upper and right sides.

    Args:
      size: width and height in inches.
    Example:
      >>> figure, axes = plot("Bounds", "particles", "nats")
      >>> lines = axes.plot([1, 8, 64], [-75.2, -72.8, -71.6])
    """
    figure = blank(*size, layout="constrained")
    from matplotlib.ticker import MaxNLocator

    axes = figure.add_subplot()
    axes.set_title(title, loc="left", color=INK, fontsize=11)
    axes.set_xlabel(xlabel, color=INK)
    axes.set_ylabel(ylabel, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))  # epochs and dimensions are counted
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def panels(
    titles: Sequence[str],
    *,
    columns: int,
    size: tuple[float, float] = (3.0, 2.6),
    title: str = "",
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Returns a figure of a plot per title, in reading order; the last row may be short.

    Args:
      titles: of each plot; empty for none.
      columns: plots in a row.
      size: width and height of each plot in inches.
      title: of the whole figure.
      sharex, sharey: whether all plots have one scale, numbered at the figure's edge alone.
    Raises:
      ValueError: titles is empty, or columns is below one.
    Example:
      >>> figure, (left, right) = panels(["E-step", "M-step"], columns=2, sharey=True)
    """
    if not titles:
        raise ValueError("titles: got none, expected one for each plot")
    columns = min(at_least("columns", columns, 1), len(titles))
    rows = -(-len(titles) // columns)
    width, height = size[0] * columns, size[1] * rows + (0.3 if title else 0)
    figure = blank(width, height, layout="constrained")
    if title:
        figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=11)
    places = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).ravel()
    for axes, name in zip(places, titles, strict=False):
        axes.set_title(name, loc="left", color=INK, fontsize=10 if size[0] >= 2.5 else 8)
        axes.spines[["top", "right"]].set_visible(False)
    for i in range(len(titles), len(places)):
        places[i].remove()
        places[i - columns].tick_params(labelbottom=True)  # now the lowest of its column
    return figure, list(places[: len(titles)])


def drawn_on(name: str, value: Any, method: str) -> None:
    """Refuses what is none of matplotlib's figures or plots: it lacks one of their methods.

    Raises:
      ValueError: it does.
    """
    if not callable(getattr(value, method, None)):
        raise ValueError(
            f"{name}: got {value!r}, expected one of matplotlib, such as `plot` returns"
        )


def legend_below(figure: Figure, axes: Axes, *, columns: int = 6) -> None:
    """Draws the legend of `axes` once for the whole figure, below its plots.

    Args:
      columns: entries in a row.
    Raises:
      ValueError: they are no figure and plot, or columns is below one.
    Example:
      >>> figure, (left, right) = panels(["E-step", "M-step"], columns=2)
      >>> lines = left.plot([1, 2, 3], label="ELBO")
      >>> legend_below(figure, left)
    """
    drawn_on("figure", figure, "savefig")
    drawn_on("axes", axes, "plot")
    columns = at_least("columns", columns, 1)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=8
    )

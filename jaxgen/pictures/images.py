"""Pictures that a training leaves: figures of matplotlib, made without its global state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150
INK = "#333333"
GAP = 0.08  # between images, as a part of their width


def image_grid(
    images: Float[ArrayLike, "n height width channels"], *, columns: int = 10, title: str = ""
) -> Figure:
    """Returns the images in reading order, each pixel a crisp square.

    Args:
      images: in [0, 1]; one channel (gray) or three (red, green, blue).
      columns: images in a row; the last row may be short.
    Raises:
      ValueError: the images are not of that shape.
    Example:
      run.save_picture("samples", image_grid(images, title="Samples from the prior"))
    """
    images = _checked(images, 4)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    white = np.full((rows * columns - len(images), *images.shape[1:]), 255, np.uint8)
    tiles = np.concatenate([images, white]).reshape(rows, columns, *images.shape[1:])
    return _mosaic(tiles, title)[0]


def side_by_side(
    originals: Float[ArrayLike, "n height width channels"],
    reconstructions: Float[ArrayLike, "n height width channels"],
    *,
    columns: int = 10,
    title: str = "Originals and reconstructions",
) -> Figure:
    """Returns rows of originals, each above its reconstruction; the rows are labeled.

    Args:
      originals: in [0, 1], with one channel or three.
      reconstructions: of the same shape.
      columns: pairs in a row; those that do not fill the last row are left out.
    Raises:
      ValueError: the two differ in shape, or are no images.
    Example:
      side_by_side(x[:20], means[:20])
    """
    originals, reconstructions = _checked(originals, 4), _checked(reconstructions, 4)
    if originals.shape != reconstructions.shape:
        raise ValueError(
            f"reconstructions: got shape {reconstructions.shape}, expected {originals.shape}"
        )
    columns = min(columns, len(originals))
    rows = len(originals) // columns
    shape = (rows, columns, *originals.shape[1:])
    pairs = [x[: rows * columns].reshape(shape) for x in (originals, reconstructions)]
    tiles = np.stack(pairs, axis=1).reshape(2 * rows, columns, *originals.shape[1:])
    figure, axes, centers = _mosaic(tiles, title, left=1.1, row_gaps=(GAP, 4 * GAP))
    _ticks(axes.yaxis, centers[0], ["original", "reconstructed"] * rows)
    return figure


def latent_grid(
    images: Float[ArrayLike, "rows columns height width channels"],
    quantiles: Sequence[float],
    *,
    title: str = "What each point of the latent plane decodes to",
) -> Figure:
    """Returns the decoded images of a square lattice over a latent of two dimensions.

    Args:
      images: image [i, j] decodes z = (quantile j, quantile i) of the prior; row 0 is drawn at
        the bottom, so that both axes grow as in any plot.
      quantiles: the probabilities, in (0, 1), of rows and columns alike.
    Raises:
      ValueError: the lattice is not as wide and high as there are quantiles.
    Example:
      quantiles = (np.arange(15) + 0.5) / 15
      latent_grid(decode(lattice(quantiles)), quantiles)
    """
    images = _checked(images, 5)
    if images.shape[:2] != (len(quantiles),) * 2:
        raise ValueError(
            f"images: got a lattice of {images.shape[:2]}, expected {(len(quantiles),) * 2}, one "
            "row and column per quantile"
        )
    figure, axes, (down, across) = _mosaic(images[::-1], title, left=0.7, bottom=0.5)
    labels = [f"{q:.2f}".lstrip("0") for q in quantiles]
    _ticks(axes.xaxis, across, labels)
    _ticks(axes.yaxis, down[::-1], labels)
    axes.set_xlabel("quantile of $z_1$", color=INK)
    axes.set_ylabel("quantile of $z_2$", color=INK)
    return figure


def learning_curve(
    records: Sequence[Mapping[str, Any]],
    keys: Mapping[str, str],
    *,
    ylabel: str = "ELBO (nats per image)",
    title: str = "Learning curve",
) -> Figure:
    """Returns the quantities `keys` of `records` against the epoch, the last value of each named.

    The first twentieth of the epochs, far off the rest, does not stretch the scale: it may leave
    the picture, so that the end can be read.

    Args:
      records: as `RunDirectory.metrics` returns them; each has an `epoch`.
      keys: from a key of the records to the name in the legend. A record may lack one or hold None.
      ylabel: the quantity, with its unit.
    Raises:
      ValueError: no record holds one of the keys.
    Example:
      learning_curve(run.metrics(), {"train_elbo": "train", "validation_elbo": "validation"})
    """
    figure, axes = _plot(title, "epoch", ylabel)
    settled = []
    for key, name in keys.items():
        points = [(r["epoch"], r[key]) for r in records if r.get(key) is not None]
        if not points:
            raise ValueError(f"keys: got {key!r}, which no record holds")
        epochs, values = np.array(points, float).T
        settled.extend(values[len(values) // 20 :])
        marker = "o" if len(points) == 1 else None
        axes.plot(epochs, values, marker=marker, lw=1.8, label=f"{name}  {values[-1]:.2f}")
    margin = 0.08 * (max(settled) - min(settled)) or 1.0
    axes.set_ylim(min(settled) - margin, max(settled) + margin)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.25)
    # Below the axes: curves may lie anywhere within.
    axes.legend(
        frameon=False,
        title="last epoch",
        alignment="left",
        loc="upper left",
        bbox_to_anchor=(0, -0.14),
    )
    return figure


def bars(
    values: ArrayLike,
    *,
    xlabel: str = "latent dimension, largest first",
    ylabel: str = "KL (nats)",
    title: str = "KL from the prior, per latent dimension",
) -> Figure:
    """Returns the values as bars, the largest first.

    Example:
      bars(kl_per_dimension)
    """
    values = np.sort(np.asarray(values, float))[::-1]
    figure, axes = _plot(title, xlabel, ylabel)
    axes.bar(np.arange(1, len(values) + 1), values, width=0.8)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
    return figure


def stacked_bars(
    labels: Sequence[str],
    parts: Mapping[str, Sequence[float]],
    *,
    ylabel: str,
    title: str,
) -> Figure:
    """Returns a bar per label, made of parts that are named with their size where it fits.

    Negative parts hang below zero.

    Example:
      stacked_bars(["train", "test"], {"rate": [19.1, 19.3], "distortion": [70.2, 74.0]},
                   ylabel="nats", title="Negative ELBO")
    """
    figure, axes = _plot(title, "", ylabel)
    places = np.arange(len(labels))
    tallest = np.abs(np.array([*parts.values()], float)).sum(axis=0).max()
    tops = {True: np.zeros(len(labels)), False: np.zeros(len(labels))}  # of either sign
    for name, values in parts.items():
        heights = np.asarray(values, float)
        bottom = np.where(heights < 0, tops[True], tops[False])
        drawn = axes.bar(places, heights, 0.5, bottom, label=name)
        labeled = np.abs(heights) > 0.05 * tallest  # a thinner part has no room for its number
        texts = [f"{h:.2f}" if room else "" for h, room in zip(heights, labeled, strict=True)]
        axes.bar_label(drawn, texts, label_type="center")
        for negative, top in tops.items():
            top += np.where((heights < 0) == negative, heights, 0)
    axes.set_xticks(places, labels)
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, reverse=True, bbox_to_anchor=(1, 1))
    return figure


def _checked(images: ArrayLike, rank: int) -> UInt8[np.ndarray, "..."]:
    images = np.asarray(images, float)
    if images.ndim != rank or images.shape[-1] not in (1, 3) or not images.size:
        raise ValueError(
            f"images: got shape {images.shape}, expected {rank} axes, the last three being height, "
            "width and channels (1 or 3)"
        )
    # Not a number is drawn in black: a picture must not fail on what went wrong.
    return np.round(255 * np.clip(np.nan_to_num(images), 0.0, 1.0)).astype(np.uint8)


def _mosaic(
    tiles: UInt8[np.ndarray, "rows columns height width channels"],
    title: str,
    *,
    left: float = 0.1,
    bottom: float = 0.1,
    row_gaps: tuple[float, float] = (GAP, GAP),
) -> tuple[Figure, Axes, tuple[list[float], list[float]]]:
    """Lays out the tiles; also returns the tiles' centers.

    One pixel of an image is a whole number of pixels on the canvas, so none is blurred or uneven.
    `left` and `bottom` are margins in inches, `row_gaps` what stands between rows in turn.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, columns, height, width, _ = tiles.shape
    scale = max(1, min(round(0.55 * DPI / width), 1800 // (columns * width)))
    gap = max(1, round(GAP * width * scale))
    tops, y = [], 0
    for i in range(rows):
        tops.append(y)
        y += height * scale + max(1, round(row_gaps[i % 2] * width * scale))
    total = (tops[-1] + height * scale, columns * (width * scale + gap) - gap)
    canvas = np.full((*total, 3), 255, np.uint8)
    lefts = [j * (width * scale + gap) for j in range(columns)]
    for i, top in enumerate(tops):
        for j, start in enumerate(lefts):
            big = tiles[i, j].repeat(scale, axis=0).repeat(scale, axis=1)
            canvas[top : top + height * scale, start : start + width * scale] = big

    margin = round(0.1 * DPI)
    above = round(0.35 * DPI) if title else margin
    at_left, below = round(left * DPI), round(bottom * DPI)
    across = max(total[1], round(0.09 * DPI * len(title)))  # room for the title, at 11 points
    size = (across + at_left + margin, total[0] + above + below)
    figure = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    box = (at_left / size[0], below / size[1], total[1] / size[0], total[0] / size[1])
    axes = figure.add_axes(box)
    axes.imshow(canvas, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if title:
        figure.text(
            at_left / size[0], 1 - 0.08 * DPI / size[1], title, va="top", color=INK, size=11
        )
    centers = ([t + height * scale / 2 for t in tops], [x + width * scale / 2 for x in lefts])
    return figure, axes, centers


def _ticks(axis: Any, places: Sequence[float], labels: Sequence[str]) -> None:
    axis.set_ticks(places, labels)
    axis.set_tick_params(length=0, labelsize=8, labelcolor=INK)


def _plot(title: str, xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6, 4), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", color=INK, fontsize=11)
    axes.set_xlabel(xlabel, color=INK)
    axes.set_ylabel(ylabel, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))  # epochs and dimensions are counted
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes

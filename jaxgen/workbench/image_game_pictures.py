"""Pictures of a game on images: its samples, over time and beside the data, and its state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import UInt8

from jaxgen.pictures import geometric_steps, image_grid, learning_curve, side_by_side

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Bytes: TypeAlias = UInt8[np.ndarray, "n height width channels"]
FRAMES = 8
"""Rows of the picture of samples over time."""


def draw_image_game(
    frames: UInt8[np.ndarray, "frames latents height width channels"],
    fakes: Bytes,
    neighbors: UInt8[np.ndarray, "shown height width channels"],
    records: list[dict[str, Any]],
    *,
    frechet: float,
    of: str,
    loss: str,
) -> dict[str, Figure]:
    """Returns the figures `samples`, `over_time`, `neighbors`, `frechet` and `critic`.

    Args:
      frames: the same latents before the first epoch and after each.
      fakes: samples at the end.
      neighbors: the training image nearest to each of the first samples.
      records: of the epochs, with the judge's `frechet`, `duplicates` and `distance_to_train`.
      frechet: the distance at the end.
      of: what it is of: pixels, or features.
      loss: the name of both players'.
    Example:
      >>> fakes = images.test.images[:9]
      >>> record = {"epoch": 1, "validation_frechet": 2.0, "train_critic_accuracy": 0.6}
      >>> record |= {"validation_duplicates": 0.0, "validation_distance_to_train": 1.1}
      >>> figures = draw_image_game(
      ...     np.stack([fakes[3:6], fakes[:3]]),
      ...     fakes,
      ...     images.train.images[:3],
      ...     [record],
      ...     frechet=2.0,
      ...     of="pixels",
      ...     loss="non_saturating",
      ... )
      >>> list(figures)
      ['samples', 'over_time', 'neighbors', 'frechet', 'critic']
    """
    moments = geometric_steps(len(frames) - 1, FRAMES)  # most happens early
    over_time = {f"epoch {moment}": frames[moment] / 255 for moment in moments}
    beside = {"sample": fakes[: len(neighbors)] / 255, "nearest": neighbors / 255}
    distance = {"validation_frechet": "samples and held-out images"}
    game = {
        "train_critic_accuracy": "accuracy of the critic",
        "validation_duplicates": "near duplicates, share of the samples",
        "validation_distance_to_train": "distance to the data over held-out images'",
    }
    title, ylabel = "Fréchet distance over time", f"Fréchet distance of {of}"
    rules, share = f"The game of the loss {loss}", "share, or ratio of distances"
    return {
        "samples": image_grid(fakes[:100] / 255, title=f"Samples: Fréchet distance {frechet:.3g}"),
        "over_time": side_by_side(over_time, title="The same latents over time"),
        "neighbors": side_by_side(beside, title="Samples, each above the nearest training image"),
        "frechet": learning_curve(records, distance, title=title, ylabel=ylabel),
        "critic": learning_curve(records, game, title=rules, ylabel=share),
    }

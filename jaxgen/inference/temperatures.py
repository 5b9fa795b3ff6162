"""Schedules of inverse temperatures from 0 to 1, for annealing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from jaxgen.checks import at_least, positive

Temperatures: TypeAlias = Sequence[float] | Float[np.ndarray, "temperatures"]
"""Inverse temperatures that rise from 0 to 1, known when a program is compiled."""


def linear_temperatures(num_steps: int) -> Float[np.ndarray, "temperatures"]:
    """Returns `num_steps` equal steps from 0 to 1.

    Raises:
      ValueError: num_steps is below one.
    Example:
      >>> linear_temperatures(4)  # [0, .25, .5, .75, 1]
    """
    return np.linspace(0.0, 1.0, at_least("num_steps", num_steps, 1) + 1)


def sigmoidal_temperatures(
    num_steps: int, *, sharpness: float = 4.0
) -> Float[np.ndarray, "temperatures"]:
    """Returns `num_steps` steps from 0 to 1, the shortest at both ends.

    Args:
      sharpness: delta in sigmoid(delta (2t/T - 1)), which is then scaled to [0, 1]; above zero.
    Raises:
      ValueError: num_steps is below one, or sharpness is not positive.
    Example:
      >>> betas = sigmoidal_temperatures(1000)
    Source: Wu et al. (2017), section 4.1; Grosse et al. (2015), section 5.
    """
    sharpness = positive("sharpness", sharpness)
    centered = 2 * linear_temperatures(num_steps) - 1
    # sigmoid(u) is (1 + tanh(u/2)) / 2, and so scaled the ends are exactly 0 and 1.
    return 0.5 * (1 + np.tanh(0.5 * sharpness * centered) / np.tanh(0.5 * sharpness))


def rising(betas: Temperatures) -> Float[np.ndarray, "temperatures"]:
    """Returns the schedule as an array, once it is seen to rise from 0 to 1.

    Raises:
      ValueError: it does not.
    """
    schedule = np.asarray(betas, np.float64)
    rises = np.diff(schedule)
    if schedule.ndim != 1 or len(schedule) < 2 or (schedule[0], schedule[-1]) != (0, 1):
        ends = schedule[[0, -1]] if schedule.ndim == 1 and len(schedule) else "no ends"
        raise ValueError(
            f"betas: got shape {schedule.shape} and {ends}, expected one axis from 0 to 1"
        )
    if not np.all(rises > 0):
        first = int(np.argmin(rises > 0))
        raise ValueError(
            f"betas: got {schedule[first + 1]} after {schedule[first]}, expected a rising schedule"
        )
    return schedule

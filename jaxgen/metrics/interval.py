"""A number with the ends of its 95% interval."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from jaxgen.numerics import wilson_interval


class Interval(NamedTuple):
    """A number and the ends of its 95% interval.

    Attributes:
      value: the number.
      low, high: the ends.
    """

    value: float
    low: float
    high: float

    @property
    def ends(self) -> tuple[float, float, float]:
        """All three."""
        return self.value, self.low, self.high


def share_interval(happened: Bool[np.ndarray, "n"]) -> Interval:
    """Returns the share of what happened, by Wilson's formula.

    Raises:
      ValueError: there is nothing to count.
    Example:
      share_interval(predicted == labels)
    """
    if not len(happened):
        raise ValueError("happened: got none, expected at least one")
    share = float(np.mean(happened))
    low, high = wilson_interval(share, len(happened))
    return Interval(share, float(low), float(high))


def mean_interval(values: Float[np.ndarray, "n"]) -> Interval:
    """Returns the mean of independent numbers, by Student's t.

    Raises:
      ValueError: there are fewer than two.
    Example:
      mean_interval(np.abs(translated - partners).mean((1, 2, 3)))
    """
    if len(values) < 2:
        raise ValueError(f"values: got {len(values)}, expected two or more")
    mean = float(np.mean(values))
    half = float(
        stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    )
    return Interval(mean, mean - half, mean + half)
